"""Authentication: who keeps the accounts, the framework or you?"""

from forms import NAME, PASSWORD, log_in
from source import code_lines, definitions
from subject import Finding, Subject

VIEW = "me"  # the page that only who is logged in may see: somebody has to write it everywhere


def look(subject: Subject) -> Finding:
    """Ask for /me as a stranger, then as one who logged in by the form or the scheme that it points to."""
    file = subject.app / "features" / "accounts.py"
    stranger = subject.client.get("/me", follow_redirects=True)
    output = [f"GET /me as a stranger: {_shown(stranger)}"]
    scheme = stranger.headers.get("WWW-Authenticate", "").partition(" ")[0]
    if scheme == "Basic":
        known = subject.client.get("/me", auth=(NAME, PASSWORD))
        wrong = subject.client.get("/me", auth=(NAME, "wrong"))
        output.append(f"with a wrong password: {_shown(wrong)}")
    else:
        known = log_in(subject.client, stranger)
    output.append(f"GET /me, {NAME}, by {scheme or 'form'}: {_shown(known)}")
    let_in = known.is_success and known.text.replace(" ", "").strip() == f'{{"name":"{NAME}"}}'
    own = [name for name in definitions(file) if name != VIEW] if file.is_file() else []
    lines = f"{code_lines(file)} lines of your own" if file.is_file() else "nothing"
    if not let_in:
        return Finding(outcome="no", shows="Nobody can log in.", output="\n".join(output))
    return Finding(
        outcome="partly" if own else "yes",
        shows=(
            f"Log-in works; accounts and passwords are kept by {lines} (features/accounts.py)."
            if own
            else f"Log-in works with accounts, passwords and forms that come with it; {lines} for the page."
        ),
        output="\n".join(output),
    )


def _shown(response) -> str:
    way = " → ".join(str(one.status_code) for one in (*response.history, response))
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    return f"{way} {response.text.strip() if kind == 'application/json' else response.url.path}"
