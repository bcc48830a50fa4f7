# SPDX-License-Identifier: GPL-2.0-only
"""WebSocket conformance: tests servers and clients case by case."""
import argparse
import asyncio
import collections
import json
import sys

import cases
import client
import engine
import server


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    sub = parser.add_subparsers(dest="mode", required=True)
    one = sub.add_parser("client", help="test a server that echoes")
    one.add_argument("url", help="ws://HOST:PORT/PATH, or wss://")
    one.add_argument("--peer", default="server", help="its name in the report")
    one.add_argument("--jobs", type=int, default=8,
                     help="cases at a time (8)")
    two = sub.add_parser("server", help="test clients that echo")
    two.add_argument("--port", type=int, default=9001)
    two.add_argument("--tls", metavar="NAME",
                     help="with the certificate NAME.pem and NAME.key")
    two.add_argument("--once", action="store_true",
                     help="end when a client asks for /updateReports")
    for one in (one, two):
        one.add_argument("--cases", default="all", type=cases.choose,
                         help='as "1,2,6.4,9.1.1-9.1.5", or "all"')
        one.add_argument("--json", help="where results go")
        one.add_argument("--messages", type=int, default=0,
                         help="a limit on the 1000 messages of 12 "
                         "and 13")
        one.add_argument("--patience", type=float, default=1,
                         help="a factor for time limits (1)")
        one.add_argument("--quiet", action="store_true")
    return parser.parse_args()


def main():
    """Run, save, sum up."""
    args = arguments()
    engine.PATIENCE = args.patience

    def tell(result):
        if not args.quiet:
            print(f"{result['case']:8} {result['verdict']:14}"
                  f"{result['close']:17}{result['seconds']:8.2f} s  "
                  f"{result['detail']}", flush=True)

    def save(results):
        results.sort(key=lambda one: cases.number(one["case"]))
        if args.json:
            with open(args.json, "w", encoding="utf-8") as out:
                json.dump(results, out, indent=1)
        for key in ("verdict", "close"):
            count = collections.Counter(one[key] for one in results)
            print(f"{key}: " + ", ".join(f"{n} {what}" for what, n
                                         in sorted(count.items())), flush=True)

    if args.mode == "client":
        save(asyncio.run(client.test(args.url, args.peer, args.cases,
                                     args.jobs, args.messages, tell)))
    else:
        asyncio.run(server.serve(args.port, args.tls, args.cases,
                                 args.messages, args.once, save, tell))
    return 0


if __name__ == "__main__":
    sys.exit(main())
