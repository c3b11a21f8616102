"""A locustfile → its requests, in a mix by the weights of users and tasks. It is parsed, never executed."""

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.errors import UsageError
from bench.init.draft import WEIGHTS, Draft, Proposal, name_of
from bench.init.locust_tasks import Shared, requests_of
from bench.init.python_values import Unknown, source_of, value_of
from bench.init.sent_request import Sent

USERS = ("HttpUser", "FastHttpUser", "HttpLocust", "FastHttpLocust")
TASK_SETS = ("TaskSet", "SequentialTaskSet")
_IN_ORDER = ("SequentialTaskSet",)
_WAITS = ("wait_time", "min_wait", "max_wait")
_ONCE = ("on_start",)


def proposal(text: str, name: str) -> Proposal:
    """Return the mix of the locustfile *text*. Raises UsageError."""
    try:
        module = ast.parse(text, name)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        where = f"{name}, line {line}" if line else name
        raise UsageError(f"{where}: it is no Python: {getattr(error, 'msg', error)}: mend it") from error
    try:
        return _proposal(_Locustfile.of(module), name)
    except RecursionError as error:
        raise UsageError(f"{name}: an expression in it is nested too deeply: write it plainly") from error


def _proposal(file: "_Locustfile", name: str) -> Proposal:
    users = file.users()
    if not users:
        raise UsageError(f"{name}: it has no class of HttpUser or FastHttpUser: give the file that has them")
    found = _Found()
    everyone = sum(file.number(one, "weight") for one in users)
    for user in users:
        _add_user(file, user, file.number(user, "weight") / everyone, found)
    if not found.sent and not found.lost:
        why = found.first_reason()
        raise UsageError(f"{name}: none of its tasks has a request that can be translated{why}")
    drafts = _drafts(found)
    return Proposal(
        source=f"{name.rpartition('/')[2]}, a locustfile: {_counted(len(users), 'user class', 'es')}, "
        f"requests of {WEIGHTS:,} tasks",
        drafts=tuple(drafts),
        left_out={f"line {line}": share * WEIGHTS for line, share in found.lost.items()},
        notes=tuple(_notes(found)),
        locustfile=_below_here(name),
    )


def _below_here(path: str) -> str:
    """Return *path* from the present folder on, "" where it is not below that."""
    found = os.path.relpath(path)
    return "" if found.startswith(os.pardir) else found.replace(os.sep, "/")


@dataclass(slots=True, eq=False)
class _Found:
    """What the user classes send. Shares are those of one task of any user."""

    sent: list[tuple[Sent, float]] = field(default_factory=list)
    once: list[Sent] = field(default_factory=list)
    lost: dict[int, float] = field(default_factory=dict)
    remarks: list[tuple[int, str]] = field(default_factory=list)
    saved: list[str] = field(default_factory=list)

    def first_reason(self) -> str:
        return f": line {self.remarks[0][0]}: {self.remarks[0][1]}" if self.remarks else ""


@dataclass(frozen=True, slots=True)
class _Locustfile:
    """The classes, functions and constants of a locustfile."""

    classes: Mapping[str, ast.ClassDef]
    functions: Mapping[str, ast.FunctionDef]
    constants: Mapping[str, object]

    @classmethod
    def of(cls, module: ast.Module) -> "_Locustfile":
        constants: dict[str, object] = {}
        for node in module.body:
            constants |= _constants([node], constants)
        return cls(
            {one.name: one for one in ast.walk(module) if isinstance(one, ast.ClassDef)},
            {one.name: one for one in module.body if isinstance(one, ast.FunctionDef)},
            constants,
        )

    def lineage(self, node: ast.ClassDef) -> list[ast.ClassDef]:
        """Return *node* and its bases within the file, itself first."""
        found = [node]
        for one in found:
            bases = [self.classes.get(source_of(base)) for base in one.bases]
            found += [base for base in bases if base is not None and base not in found]
        return found

    def is_a(self, node: ast.ClassDef, kinds: Sequence[str]) -> bool:
        bases = [source_of(base).rpartition(".")[2] for one in self.lineage(node) for base in one.bases]
        return any(base in kinds for base in bases)

    def users(self) -> list[ast.ClassDef]:
        found = [one for one in self.classes.values() if self.is_a(one, USERS)]
        return [one for one in found if _constants(one.body, self.constants).get("abstract") is not True]

    def number(self, node: ast.ClassDef, name: str) -> int:
        for one in self.lineage(node):
            value = _constants(one.body, self.constants).get(name)
            if type(value) is int and value > 0:
                return value
        return 1

    def methods(self, node: ast.ClassDef) -> dict[str, ast.FunctionDef]:
        found: dict[str, ast.FunctionDef] = {}
        for one in self.lineage(node):
            for member in one.body:
                if isinstance(member, ast.FunctionDef):
                    found.setdefault(member.name, member)
        return found

    def tasks(self, node: ast.ClassDef) -> list[tuple[ast.FunctionDef | ast.ClassDef, int]]:
        """Return the tasks of *node* with their weights: decorated, then those in `tasks`."""
        found: dict[str, tuple[ast.FunctionDef | ast.ClassDef, int]] = {}
        for one in self.lineage(node):
            for member in one.body:
                if isinstance(member, ast.FunctionDef | ast.ClassDef) and (weight := _weight(member)):
                    found.setdefault(member.name, (member, weight))
                elif isinstance(member, ast.Assign) and source_of(member.targets[0]) == "tasks":
                    for name, weight in _listed(member.value):
                        known = self.functions.get(name) or self.classes.get(name)
                        if known is not None:
                            before = found.get(name, (known, 0))[1]
                            found[name] = (known, before + weight)
        return list(found.values())


def _constants(body: Sequence[ast.stmt], scope: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for node in body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ):
                try:
                    found[name] = value_of(value, {**scope, **found})
                except Unknown:
                    continue
    return found


def _weight(member: ast.FunctionDef | ast.ClassDef) -> int:
    """Return the weight that @task gives *member*, 0 if it is no task."""
    for decorator in member.decorator_list:
        match decorator:
            case ast.Name(id="task") | ast.Attribute(attr="task"):
                return 1
            case ast.Call(func=ast.Name(id="task") | ast.Attribute(attr="task"), args=args, keywords=named):
                match [*args, *(one.value for one in named if one.arg == "weight")]:
                    case [ast.Constant(int() as weight)] if weight > 0:
                        return weight
                return 1
    return 0


def _listed(node: ast.expr) -> Iterator[tuple[str, int]]:
    match node:
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            for part in parts:
                yield source_of(part), 1
        case ast.Dict(keys=keys, values=values):
            for key, value in zip(keys, values, strict=True):
                if key and isinstance(value, ast.Constant) and isinstance(value.value, int):
                    yield source_of(key), value.value


def _add_user(file: _Locustfile, user: ast.ClassDef, share: float, found: _Found) -> None:
    for one in file.lineage(user):
        for node in one.body:
            if isinstance(node, ast.Assign) and source_of(node.targets[0]) in _WAITS:
                words = f"`{source_of(node)}`: think time caps what a user requests"
                found.remarks.append((node.lineno, f"{words}; bench sends the next request at once"))
            if isinstance(node, ast.Assign) and source_of(node.targets[0]) == "fixed_count":
                found.remarks.append((node.lineno, f"`{source_of(node)}`: weights alone make the mix"))
    _add_tasks(file, user, share, found, _shared(file, user, found))


def _shared(file: _Locustfile, owner: ast.ClassDef, found: _Found, of_user: Shared | None = None) -> Shared:
    scope: dict[str, object] = dict(of_user.scope if of_user else file.constants)
    for one in reversed(file.lineage(owner)):
        scope |= {f"self.{name}": value for name, value in _constants(one.body, file.constants).items()}
    shared = Shared(methods=file.methods(owner), scope=scope, saved=found.saved, remarks=found.remarks)
    if of_user:
        shared.headers = of_user.headers
    for name in _ONCE:
        if name in shared.methods:
            found.once += requests_of(shared.methods[name], shared)
    return shared


def _add_tasks(file: _Locustfile, owner: ast.ClassDef, share: float, found: _Found, shared: Shared) -> None:
    tasks = file.tasks(owner)
    total = sum(weight for _, weight in tasks)
    if file.is_a(owner, _IN_ORDER):
        found.remarks.append((owner.lineno, f"{owner.name}: the order of its tasks is not kept"))
        tasks, total = [(one, 1) for one, _ in tasks], len(tasks)
    for task, weight in tasks:
        part = share * weight / total
        if isinstance(task, ast.ClassDef):
            words = "how long users stay in it is not known: its tasks share its weight"
            found.remarks.append((task.lineno, f"{task.name}: {words}"))
            _add_tasks(file, task, part, found, _shared(file, task, found, shared))
            continue
        shared.lost = []
        found.sent += [(one, part * one.often) for one in requests_of(task, shared)]
        for line, often in shared.lost:
            found.lost[line] = found.lost.get(line, 0.0) + part * often


def _drafts(found: _Found) -> list[Draft]:
    """Return an exchange for each request; equal ones are one."""
    alike: dict[str, tuple[Sent, float]] = {}
    for sent, share in found.sent:
        sends = (sent.target, sent.headers, sent.body, sent.form, sent.text, sent.fields.generators)
        key = repr((sent.method, sends, sent.save))
        first, before = alike.get(key, (sent, 0.0))
        alike[key] = (first, before + share)
    drafts: list[Draft] = []
    seldom = "once for each user under Locust: here as rare as the mix allows"
    once = [(one, 1 / WEIGHTS, seldom) for one in found.once]
    for sent, share, remark in [*once, *((one, share, "") for one, share in alike.values())]:
        drafts.append(
            Draft(
                name=name_of(sent.method, sent.named or sent.target, {one.name for one in drafts}),
                request=f"{sent.method} {sent.target}",
                headers=sent.headers,
                body=sent.body,
                form=sent.form,
                text=sent.text,
                fields=sent.fields.generators,
                status=sent.status,
                save=sent.save,
                consumes=sent.consumes,
                requests=share * WEIGHTS,
                origin=f"line {sent.line}",
                remarks=(remark,) if remark else (),
                lacks=sent.lacks,
            )
        )
    return drafts


def _notes(found: _Found) -> Iterator[str]:
    for line, what in sorted(dict.fromkeys(found.remarks)):
        yield f"line {line}: {what}"
    if any(not one.save for one in found.once):
        yield "on_start sends requests whose answers no other uses: a session in a cookie is not carried over"
    yield "Locust follows redirects and accepts what is below 400: write `expect.status` where it is not 200"


def _counted(number: int, noun: str, plural: str) -> str:
    return f"{number} {noun}{plural if number > 1 else ''}"
