"""A program that hears of events: it keeps what it is told, and answers as it is told to."""
import http.server, json, pathlib, sys, threading

folder, lock = pathlib.Path(sys.argv[1]), threading.Lock()


class Listener(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        heard = {"path": self.path, "body": body, "headers": [[k.lower(), v] for k, v in self.headers.items()]}
        with lock, open(folder / "heard.ndjson", "a") as file:
            file.write(json.dumps(heard) + "\n")
        status = folder / self.path.strip("/").replace("/", "_")
        self.send_response(int(status.read_text()) if status.exists() else 204)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
print(server.server_port, flush=True)
server.serve_forever()
