"""Authentication: who keeps the accounts, the framework or you?"""

import httpx
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
    wrong, known = (
        _me(subject.client, stranger, scheme, password) for password in (f"not {PASSWORD}", PASSWORD)
    )
    output.append(f"GET /me, {NAME} with a wrong password, by {scheme or 'form'}: {_shown(wrong)}")
    output.append(f"GET /me, {NAME}, by {scheme or 'form'}: {_shown(known)}")
    let_in = _names(known) and not _names(wrong) and not _names(stranger)
    own = [name for name in definitions(file) if name != VIEW] if file.is_file() else []
    lines = f"{code_lines(file)} lines of your own" if file.is_file() else "nothing"
    if not let_in:
        shows = "Anybody gets in." if _names(wrong) or _names(stranger) else "Nobody can log in."
        return Finding(outcome="no", shows=shows, output="\n".join(output))
    return Finding(
        outcome="partly" if own else "yes",
        shows=(
            f"Log-in works; accounts and passwords are kept by {lines} (features/accounts.py)."
            if own
            else f"Log-in works with accounts, passwords and forms that come with it; {lines} for the page."
        ),
        output="\n".join(output),
    )


def _me(client: httpx.Client, form: httpx.Response, scheme: str, password: str) -> httpx.Response:
    """Return /me as it answers one with that password."""
    if scheme == "Basic":
        return client.get("/me", auth=(NAME, password))
    return log_in(client, form, password)


def _names(response: httpx.Response) -> bool:
    """Return whether it says who is logged in."""
    return response.is_success and response.text.replace(" ", "").strip() == f'{{"name":"{NAME}"}}'


def _shown(response: httpx.Response) -> str:
    way = " → ".join(str(one.status_code) for one in (*response.history, response))
    kind = response.headers.get("Content-Type", "").partition(";")[0]
    return f"{way} {response.text.strip() if kind == 'application/json' else response.url.path}"
