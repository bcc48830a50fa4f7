# SPDX-License-Identifier: GPL-2.0-only
#
# What the kernel that is built against has, found by looking for the thing
# itself in its headers. compat.h turns the answers into named helpers; no
# other file of the module knows about them.

ws-probe = $(if $(shell grep -sE "$(2)" $(srctree)/include/$(1)),-D$(3))

# proto_ops can send a page (until 6.5 TCP takes pages this way only)
ccflags-y += $(call ws-probe,linux/net.h,sendpage_locked,WS_HAVE_SENDPAGE)
# proto.ioctl stores its answer in a kernel integer
ccflags-y += $(call ws-probe,net/sock.h,int .karg.;,WS_HAVE_IOCTL_KARG)
# proto.recvmsg reports the address length
ccflags-y += $(call ws-probe,net/sock.h,int flags. int .addr_len.;,WS_HAVE_ADDR_LEN)
# buffers whose bytes the CPU cannot read
ccflags-y += $(call ws-probe,linux/skbuff.h,skb_frags_readable,WS_HAVE_UNREADABLE)
# iov_iter names its current segment
ccflags-y += $(call ws-probe,linux/uio.h,define iter_iov_addr,WS_HAVE_ITER_IOV)
# who is told of the end of a zero-copy send has a table of functions
ccflags-y += $(call ws-probe,linux/skbuff.h,struct ubuf_info_ops .,WS_HAVE_UBUF_OPS)
# such a send may be of device memory
ccflags-y += $(call ws-probe,linux/skbuff.h,struct ubuf_info .uarg. bool devmem,WS_HAVE_ZC_DEVMEM)
# User Mode Linux gives the address of user memory (selftests/vm/uml.patch)
ccflags-y += $(call ws-probe,../arch/um/include/asm/uaccess.h,user_window_at,WS_HAVE_USER_WINDOW)
