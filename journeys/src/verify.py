"""Which of what was heard has a signature by the secret that is given, as anybody would verify it."""
import base64, hashlib, hmac, json, pathlib, sys

key = base64.b64decode(sys.argv[2].removeprefix("whsec_"))
for line in pathlib.Path(sys.argv[1], "heard.ndjson").read_text().splitlines():
    heard = json.loads(line)
    headers = dict(heard["headers"])
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{heard['body']}"
    mac = hmac.new(key, signed.encode(), hashlib.sha256).digest()
    plain = "sha256=" + hmac.new(key, heard["body"].encode(), hashlib.sha256).hexdigest()
    by_standard = any(
        hmac.compare_digest(signature, "v1," + base64.b64encode(mac).decode())
        for signature in headers["webhook-signature"].split(" ")
    )
    by_digest = any(name == "x-signature-256" and hmac.compare_digest(value, plain) for name, value in heard["headers"])
    if by_standard != by_digest:
        sys.exit(f"one signature is right and the other is not: {heard}")
    print(json.dumps(by_standard))
