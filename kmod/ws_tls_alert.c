// SPDX-License-Identifier: GPL-2.0-only
/*
 * kTLS below: alerts that the application's TLS library sends and asks for, by
 * control messages of level SOL_TLS. Process context.
 */
#include <net/tls.h>

#include "ws_tls_alert.h"
#include "ws_tx.h"

static bool get_record_type(struct msghdr *msg, u8 *type)
{
	struct cmsghdr *cmsg;

	for_each_cmsghdr(cmsg, msg) {
		if (!CMSG_OK(msg, cmsg))
			return false;
		if (cmsg->cmsg_level == SOL_TLS &&
		    cmsg->cmsg_type == TLS_SET_RECORD_TYPE &&
		    cmsg->cmsg_len == CMSG_LEN(sizeof(*type))) {
			*type = *(u8 *)CMSG_DATA(cmsg);
			return true;
		}
	}
	return false;
}

/*
 * The application's TLS library sends an alert. Until our Close is out it would
 * cut the WebSocket's stream, and is EBUSY. A close_notify after ours has been
 * sent already. Return: @len, -ENOMSG when it is no TLS record, or a negated
 * errno.
 */
int ws_tls_alert(struct ws_ctx *ctx, struct msghdr *msg, size_t len)
{
	u8 alert[2], type;
	int ret = -EBUSY;

	if (!get_record_type(msg, &type))
		return -ENOMSG;
	if (type != WS_TLS_ALERT || len != sizeof(alert))
		return -EINVAL;
	if (copy_from_iter(alert, len, &msg->msg_iter) != len)
		return -EFAULT;
	ws_lock(ctx);
	ws_tx_flush(ctx);
	if (ctx->tx.close == WS_CLOSE_DONE && !ctx->tx.nseg) {
		ret = len;
		if (!ctx->tls->notified)
			ret = ws_tls_send_alert(ctx, alert);
		if (ret > 0 && alert[1] == WS_TLS_CLOSE_NOTIFY) {
			ctx->tls->notified = true;
			WRITE_ONCE(ctx->tls->handed, true);
		}
	}
	ws_unlock(ctx);
	return ret;
}

/*
 * The application's TLS library reads close_notify: once, when the WebSocket is
 * over and the library has sent its own. Return: as recvmsg(), but 1 for a
 * record.
 */
int ws_tls_recv_alert(struct ws_ctx *ctx, struct msghdr *msg, int flags,
		      struct ws_got *got)
{
	u8 alert[2] = { 1, WS_TLS_CLOSE_NOTIFY }, type = WS_TLS_ALERT;
	struct ws_tls *tls = ctx->tls;

	if (!tls->handed || !tls->heard || !msg->msg_control ||
	    msg_data_left(msg) < sizeof(alert))
		return 0;
	if (copy_to_iter(alert, sizeof(alert), &msg->msg_iter) != sizeof(alert))
		return -EFAULT;
	put_cmsg(msg, SOL_TLS, TLS_GET_RECORD_TYPE, sizeof(type), &type);
	if (!(flags & MSG_PEEK))
		WRITE_ONCE(tls->handed, false);
	got->len = sizeof(alert);
	got->copied = sizeof(alert);
	got->msg.opcode = WS_OP_CLOSE;
	got->reported = true;
	return 1;
}
