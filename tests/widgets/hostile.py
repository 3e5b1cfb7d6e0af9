"""Texts that a careless page would run, break on, or turn around."""

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "]]>\u202egnirts\x00\x08",
    "\ud83d lone \udc00",
    "\ufffe\uffff &amp; <!--",
    "x" * 10_000,
)
