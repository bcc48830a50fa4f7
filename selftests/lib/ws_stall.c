// SPDX-License-Identifier: GPL-2.0-only
/* Memory that stalls whoever touches it, see ws_stall.h. */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <linux/tcp.h>
#include <linux/userfaultfd.h>

#include "ws_stall.h"
#include "ws_test.h"

bool stall_open(struct stall *s)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	s->size = getpagesize();
	s->map = mmap(NULL, 2 * s->size, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	s->uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (s->map == MAP_FAILED || s->uffd < 0)
		return complain("userfaultfd: %s", strerror(errno));
	s->page = s->map + s->size;
	memset(s->map, 0, s->size);
	area.range.start = (unsigned long)s->page;
	area.range.len = s->size;
	if (ioctl(s->uffd, UFFDIO_API, &api) ||
	    ioctl(s->uffd, UFFDIO_REGISTER, &area))
		return complain("userfaultfd's page: %s", strerror(errno));
	return true;
}

bool stall_reached(struct stall *s, int ms)
{
	struct uffd_msg msg;

	return (poll_for(s->uffd, POLLIN, ms) & POLLIN &&
		read(s->uffd, &msg, sizeof(msg)) == sizeof(msg)) ||
	       complain("no page fault");
}

void stall_release(struct stall *s)
{
	struct uffdio_zeropage zero = {
		.range = { (unsigned long)s->page, s->size },
	};

	/* Again when there is no fault yet, or none any more: harmless. */
	ioctl(s->uffd, UFFDIO_ZEROPAGE, &zero);
}

void stall_close(struct stall *s)
{
	close(s->uffd);
	munmap(s->map, 2 * s->size);
}

static void *hold(void *arg)
{
	struct holder *h = arg;
	char *half = h->stall.page - HOLD_BYTES / 2;

	if (h->delay)
		usleep(h->delay);
	switch (h->how) {
	case HOLD_OPTION:
		/* TCP first reads an int, and all of it under the lock. */
		setsockopt(h->fd, SOL_TCP, TCP_MD5SIG, h->stall.page - 16,
			   sizeof(struct tcp_md5sig));
		break;
	case HOLD_SEND:
		send(h->fd, half, HOLD_BYTES, MSG_NOSIGNAL);
		break;
	case HOLD_RECV:
		recv(h->fd, half, HOLD_BYTES, 0);
		break;
	}
	return NULL;
}

bool holder_launch(struct holder *h, int fd, enum hold how, int delay)
{
	pthread_attr_t attr;
	int err;

	memset(h, 0, sizeof(*h));
	h->fd = fd;
	h->how = how;
	h->delay = delay;
	if (!stall_open(&h->stall))
		return false;
	/* There may be hundreds. */
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	err = pthread_create(&h->thread, &attr, hold, h);
	pthread_attr_destroy(&attr);
	if (err)
		return complain("no thread to hold the lock");
	h->running = true;
	return true;
}

bool holder_start(struct holder *h, int fd, enum hold how)
{
	return holder_launch(h, fd, how, 0) &&
	       stall_reached(&h->stall, WS_TEST_MS);
}

void holder_end(struct holder *h)
{
	if (!h->running)
		return;
	h->running = false;
	stall_release(&h->stall);
	pthread_join(h->thread, NULL);
	stall_close(&h->stall);
}
