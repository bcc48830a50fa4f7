#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Chromium as a client of kws echo.

browser.py URL HASH   HASH: of the only key that it trusts, SHA-256 in base64.
                      URL#deflate: the server is to agree to compression.
The browser gets browser.html from here and sends what came of it back. Prints
"ok NAME" and "not ok NAME # why".
"""
import http.server
import os
import subprocess
import sys
import tempfile
import threading

PAGE = os.path.join(os.path.dirname(__file__), "browser.html")
SECONDS = 240
# It runs as root in tests, whose page is ours.
OPTIONS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
           "--disable-dev-shm-usage", "--disable-background-networking",
           "--disable-component-update", "--disable-extensions"]


class Pages(http.server.BaseHTTPRequestHandler):
    done = threading.Event()

    def do_GET(self):
        with open(PAGE, "rb") as file:
            page = file.read()
        found = self.path.startswith("/?")
        self.send_response(200 if found else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(page) if found else 0))
        self.end_headers()
        if found:
            self.wfile.write(page)

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.send_response(204)
        self.end_headers()
        print(body, flush=True)
        if self.path == "/end":
            Pages.done.set()

    def log_message(self, *_):
        pass


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: browser.py URL HASH")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pages)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    page = f"http://127.0.0.1:{server.server_address[1]}/?{sys.argv[1]}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        with open(os.path.join(folder, "log"), "wb") as log:
            browser = subprocess.Popen(
                ["chromium", *OPTIONS, f"--user-data-dir={folder}/profile",
                 "--ignore-certificate-errors-spki-list=" + sys.argv[2], page],
                stdout=log, stderr=log)
        if not Pages.done.wait(SECONDS):
            print(f"not ok conversation # no end in {SECONDS} s", flush=True)
            with open(os.path.join(folder, "log"), errors="replace") as log:
                sys.stdout.write(log.read()[-2000:])
        browser.terminate()
        try:
            browser.wait(10)
        except subprocess.TimeoutExpired:
            browser.kill()
            browser.wait()


main()
