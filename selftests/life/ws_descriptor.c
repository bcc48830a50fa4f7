// SPDX-License-Identifier: GPL-2.0-only
/*
 * The descriptor stays the one that the program has: attaching changes what is
 * read and written by it, and nothing that fstat(), fcntl() and /proc show.
 */
#include "kselftest_harness.h"
#include "ws_machine.h"
#include "ws_test.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

struct identity {
	struct stat st;
	int status;		/* F_GETFL */
	int descriptor;		/* F_GETFD */
	int owner;		/* F_GETOWN */
	int domain, type, protocol;
	socklen_t name, peer;
	struct sockaddr_storage names[2];
	char link[64];		/* of /proc/self/fd */
	char info[512];		/* /proc/self/fdinfo */
};

FIXTURE(descriptor)
{
	struct pair p;
};

FIXTURE_VARIANT(descriptor)
{
	const char *tls;
	bool by_option;		/* WS_ATTACH */
	int family;
};

FIXTURE_VARIANT_ADD(descriptor, ulp) { NULL, false, AF_INET };
FIXTURE_VARIANT_ADD(descriptor, ulp6) { NULL, false, AF_INET6 };
FIXTURE_VARIANT_ADD(descriptor, option) { NULL, true, AF_INET };
FIXTURE_VARIANT_ADD(descriptor, option6) { NULL, true, AF_INET6 };
FIXTURE_VARIANT_ADD(descriptor, tls12) { "1.2", true, AF_INET };
FIXTURE_VARIANT_ADD(descriptor, tls13) { "1.3", true, AF_INET6 };

FIXTURE_SETUP(descriptor)
{
	memset(self, 0, sizeof(*self));
	if (variant->tls)
		setenv("WS_TEST_TLS", variant->tls, 1);
	ASSERT_TRUE(pair_connect(&self->p, variant->family, WS_ROLE_SERVER));
}

FIXTURE_TEARDOWN(descriptor)
{
	pair_close(&self->p);
}

static int int_option(int fd, int option)
{
	socklen_t len = sizeof(int);
	int value = -1;

	getsockopt(fd, SOL_SOCKET, option, &value, &len);
	return value;
}

static bool look_up(int fd, struct identity *id)
{
	char path[64];

	memset(id, 0, sizeof(*id));
	id->status = fcntl(fd, F_GETFL);
	id->descriptor = fcntl(fd, F_GETFD);
	id->owner = fcntl(fd, F_GETOWN);
	id->domain = int_option(fd, SO_DOMAIN);
	id->type = int_option(fd, SO_TYPE);
	id->protocol = int_option(fd, SO_PROTOCOL);
	id->name = sizeof(id->names[0]);
	id->peer = sizeof(id->names[1]);
	if (getsockname(fd, (void *)&id->names[0], &id->name) ||
	    getpeername(fd, (void *)&id->names[1], &id->peer) ||
	    fstat(fd, &id->st))
		return complain("descriptor: %s", strerror(errno));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (readlink(path, id->link, sizeof(id->link) - 1) < 0)
		return complain("%s: %s", path, strerror(errno));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	return file_read(path, id->info, sizeof(id->info));
}

TEST_F(descriptor, is_the_same)
{
	struct identity before, after;
	struct pair *p = &self->p;
	int round;

	ASSERT_EQ(0, fchown(p->ws, 1000, 1001));
	ASSERT_EQ(0, fcntl(p->ws, F_SETFL, O_NONBLOCK));
	ASSERT_EQ(0, fcntl(p->ws, F_SETFD, FD_CLOEXEC));
	ASSERT_EQ(0, fcntl(p->ws, F_SETOWN, getpid()));
	ASSERT_TRUE(look_up(p->ws, &before));
	ASSERT_EQ(0, variant->by_option ? ws_attach_config(p->ws, NULL) :
					  ws_attach(p->ws));
	/* Right after the attach, and when it has been used. */
	for (round = 0; round < 2; round++) {
		ASSERT_TRUE(look_up(p->ws, &after));
		EXPECT_EQ(before.st.st_ino, after.st.st_ino);
		EXPECT_EQ(before.st.st_dev, after.st.st_dev);
		EXPECT_EQ(before.st.st_mode, after.st.st_mode);
		EXPECT_EQ(1000, after.st.st_uid);
		EXPECT_EQ(1001, after.st.st_gid);
		EXPECT_EQ(before.status, after.status);
		EXPECT_EQ(O_NONBLOCK, after.status & O_NONBLOCK);
		EXPECT_EQ(FD_CLOEXEC, after.descriptor);
		EXPECT_EQ(getpid(), after.owner);
		EXPECT_EQ(before.domain, after.domain);
		EXPECT_EQ(before.type, after.type);
		EXPECT_EQ(before.protocol, after.protocol);
		EXPECT_EQ(0, memcmp(before.names, after.names,
				    sizeof(before.names)));
		EXPECT_STREQ(before.link, after.link);
		EXPECT_STREQ(before.info, after.info);
		ASSERT_TRUE(raw_frame(p, TEXT, "here", 4));
		ASSERT_NE(0, poll_for(p->ws, POLLIN, WS_TEST_MS));
		EXPECT_TRUE(expect_text(p->ws, "here"));
		ASSERT_EQ(4, ws_send(p->ws, WS_OP_TEXT, "back", 4, 0));
		EXPECT_TRUE(expect_frame(p, TEXT, "back", 4));
	}
}

/* What was asked for before the attach goes on: no call of it is undone. */
TEST_F(descriptor, goes_by_every_way)
{
	struct pair *p = &self->p;
	int copy = dup(p->ws);
	struct stat st, of_copy;
	pid_t pid;

	ASSERT_LE(0, copy);
	ASSERT_EQ(0, variant->by_option ? ws_attach_config(p->ws, NULL) :
					  ws_attach(p->ws));
	ASSERT_EQ(0, fstat(p->ws, &st));
	ASSERT_EQ(0, fstat(copy, &of_copy));
	EXPECT_EQ(st.st_ino, of_copy.st_ino);
	ASSERT_TRUE(raw_frame(p, TEXT, "one", 3));
	EXPECT_TRUE(expect_text(copy, "one"));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(ws_send(copy, WS_OP_TEXT, "child", 5, 0) != 5);
	EXPECT_TRUE(expect_frame(p, TEXT, "child", 5));
	close(copy);
	/* The socket is open as long as one of them is. */
	EXPECT_TRUE(expect_silence(p));
}

/* One socket, however many descriptors: only the last close says goodbye. */
TEST_F(descriptor, last_close_says_goodbye)
{
	struct pair *p = &self->p;
	int fd, status;
	pid_t pid;

	ASSERT_EQ(0, variant->by_option ? ws_attach_config(p->ws, NULL) :
					  ws_attach(p->ws));
	fd = dup(p->ws);
	ASSERT_LE(0, fd);
	close(p->ws);
	p->ws = fd;
	EXPECT_TRUE(expect_silence(p));
	ASSERT_TRUE(pair_works(p));

	ASSERT_TRUE(raw_frame(p, TEXT, "for the child", 13));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid)
		_exit(!(expect_text(p->ws, "for the child") &&
			ws_send(p->ws, WS_OP_TEXT, "done", 4, 0) == 4));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_TRUE(expect_frame(p, TEXT, "done", 4));
	EXPECT_TRUE(expect_silence(p));
	EXPECT_TRUE(pair_works(p));
	close(p->ws);
	p->ws = -1;
	EXPECT_TRUE(expect_close(p, 1001, ""));
}

/* ... and it may travel. */
TEST_F(descriptor, passed_to_another)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { .align = {
		.cmsg_len = CMSG_LEN(sizeof(int)),
		.cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	char byte = 'x';
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct pair *p = &self->p;
	int sv[2];

	ASSERT_EQ(0, variant->by_option ? ws_attach_config(p->ws, NULL) :
					  ws_attach(p->ws));
	ASSERT_TRUE(pair_works(p));
	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	memcpy(CMSG_DATA(&control.align), &p->ws, sizeof(int));
	ASSERT_EQ(1, sendmsg(sv[0], &msg, 0));
	close(p->ws);
	p->ws = -1;
	/* While it is being passed no process has it open, but it is alive. */
	ASSERT_TRUE(raw_frame(p, PING, "?", 1));
	EXPECT_TRUE(expect_frame(p, PONG, "?", 1));
	msg.msg_controllen = sizeof(control);
	ASSERT_EQ(1, recvmsg(sv[1], &msg, 0));
	memcpy(&p->ws, CMSG_DATA(&control.align), sizeof(int));
	EXPECT_TRUE(pair_works(p));
	close(sv[0]);
	close(sv[1]);
}

TEST_HARNESS_MAIN
