"""Templating: does an engine come with it, and does it escape what it is given?"""

from subject import Finding, Subject

ENGINE = "jinja2"  # of those who have none of their own
NASTY = "<script>alert(1)</script> & co"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co"


def look(subject: Subject) -> Finding:
    """Give user 1 a name that is markup, and look for it in the page of users."""
    before = subject.client.get("/users/1").json()
    subject.client.put("/users/1", json={**before, "name": NASTY}).raise_for_status()
    try:
        page = subject.client.get("/users/page")
    finally:
        subject.client.put("/users/1", json=before)
    engine = ENGINE if ENGINE in subject.lock.via else subject.framework
    row = next((line.strip() for line in page.text.splitlines() if "alert(1)" in line), "no such row")
    escaped = ESCAPED in page.text and NASTY not in page.text
    brought = subject.brings(engine)
    whose = "comes with it" if brought else "has to be installed beside it"
    return Finding(
        outcome="no" if not escaped else "yes" if brought else "partly",
        shows=f"{engine} {whose}; what it is given is {'escaped' if escaped else 'NOT escaped'}.",
        output=f"GET /users/page: {page.status_code}\n{row}",
    )
