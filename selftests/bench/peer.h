/* SPDX-License-Identifier: GPL-2.0-only */
/* What the echo servers on other people's libraries share. */
#ifndef BENCH_PEER_H
#define BENCH_PEER_H

/* Request target of a connection that wants empty messages for answers. */
#define PEER_ACK	"/ack?"

int peer_port(int argc, char **argv);
int peer_listen(int port);

#endif /* BENCH_PEER_H */
