"""Admin: is there a site to look after the data with, without writing one?"""

import re

from forms import inputs, log_in
from subject import Finding, Subject


def look(subject: Subject) -> Finding:
    """Log in at /admin/ and read the list of users there."""
    door = subject.client.get("/admin/", follow_redirects=True)
    output = [f"GET /admin/: {door.status_code}"]
    if not door.is_success or "password" not in inputs(door.text):
        return Finding(outcome="no", shows=f"GET /admin/ is {door.status_code}.", output=output[0])
    inside = log_in(subject.client, door)
    output.append(f"POST {door.url.path}: {inside.status_code}, {_title(inside.text)}")
    link = re.search(r'href="(/admin/\w+/user/)"', inside.text.replace("/admin/auth/user/", ""))
    users = subject.client.get(link[1]) if link else inside
    listed = list(dict.fromkeys(re.findall(r"user\d+@example\.com|User object \(\d+\)", users.text)))
    output.append(
        f"GET {users.url.path}: {users.status_code}, {_title(users.text)}: {', '.join(listed[:3])} …"
    )
    if not listed:
        return Finding(
            outcome="no", shows="/admin/ lists no users after its log-in.", output="\n".join(output)
        )
    return Finding(
        outcome="yes",
        shows=f"/admin/ lets in and lists users, {len(listed)} a page, from configuration alone.",
        output="\n".join(output),
    )


def _title(page: str) -> str:
    found = re.search(r"<title>(.*?)</title>", page, re.DOTALL)
    return f"“{' '.join(found[1].split())}”" if found else "without a title"
