package wire

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Messages and attributes of linux/netfilter that golang.org/x/sys does not name.
const (
	conntrackDelete = unix.NFNL_SUBSYS_CTNETLINK<<8 | 2 // IPCTNL_MSG_CT_DELETE
	tableDelete     = unix.NFNL_SUBSYS_NFTABLES<<8 | unix.NFT_MSG_DELTABLE
	setDestroy      = unix.NFNL_SUBSYS_IPSET<<8 | 3 // IPSET_CMD_DESTROY
	setBusy         = unix.Errno(4100)              // IPSET_ERR_BUSY
	soMemInfo       = 55                            // SO_MEMINFO
	memInfoDrops    = 8                             // SK_MEMINFO_DROPS
)

// netlinkLimit is how long the kernel may take to answer.
const netlinkLimit = 10 * time.Second

// message is a netfilter netlink message for all families (linux/netlink.h, nfnetlink.h).
func message(kind, flags, resource uint16, attributes ...byte) []byte {
	b := binary.NativeEndian.AppendUint32(nil, uint32(20+len(attributes)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|flags)
	b = append(b, make([]byte, 8)...) // sequence number and port: the kernel fills in its own
	b = append(b, unix.AF_UNSPEC, unix.NFNETLINK_V0)
	b = binary.BigEndian.AppendUint16(b, resource)
	return append(b, attributes...)
}

// ask sends messages of which one wants an answer, and waits for it.
func (h *host) ask(messages []byte) error {
	fd := h.sockets.netlink
	if err := unix.Sendto(fd, messages, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	var buf [4096]byte
	for {
		n, _, err := unix.Recvfrom(fd, buf[:], unix.MSG_DONTWAIT)
		switch {
		case err == unix.EINTR:
		case err == unix.EAGAIN:
			poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			ready, err := unix.Poll(poll, int(netlinkLimit/time.Millisecond))
			if err != nil && err != unix.EINTR {
				return err
			}
			if ready == 0 && err == nil {
				return unix.ETIMEDOUT
			}
		case err != nil:
			return err
		case n < 20 || binary.NativeEndian.Uint16(buf[4:]) != unix.NLMSG_ERROR:
			return unix.EPROTO
		default:
			if code := -int32(binary.NativeEndian.Uint32(buf[16:])); code != 0 {
				return unix.Errno(code)
			}
			return nil
		}
	}
}

// forget empties the connection tracking of the host. It costs nothing when there is none.
func (h *host) forget() error {
	if err := h.ask(message(conntrackDelete, unix.NLM_F_ACK, 0)); err != nil {
		return fmt.Errorf("wire: forget connections: %w", err)
	}
	return nil
}

// forgetRules deletes all nftables tables, those of iptables too: a request without a name means
// all (nf_tables_deltable).
func (h *host) forgetRules() error {
	batch := message(unix.NFNL_MSG_BATCH_BEGIN, 0, unix.NFNL_SUBSYS_NFTABLES)
	batch = append(batch, message(tableDelete, unix.NLM_F_ACK, 0)...)
	batch = append(batch, message(unix.NFNL_MSG_BATCH_END, 0, unix.NFNL_SUBSYS_NFTABLES)...)
	if err := h.ask(batch); err != nil {
		return fmt.Errorf("wire: delete nftables rules: %w", err)
	}
	return nil
}

// forgetSets destroys all sets of ipset.
func (h *host) forgetSets(ctx context.Context) error {
	// IPSET_ATTR_PROTOCOL: version 6, which every kernel of interest has.
	attribute := binary.NativeEndian.AppendUint16(nil, 5)
	attribute = binary.NativeEndian.AppendUint16(attribute, 1)
	attribute = append(attribute, 6, 0, 0, 0)
	deadline := time.Now().Add(setsLimit)
	for {
		err := h.ask(message(setDestroy, unix.NLM_F_ACK, 0, attribute...))
		if err != setBusy || time.Now().After(deadline) {
			if err != nil {
				return fmt.Errorf("wire: destroy sets: %w", err)
			}
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wire: destroy sets: %w", ctx.Err())
		case <-time.After(setsAgain):
		}
	}
}

// checkDrops tells whether the kernel had no room for a packet at a socket.
func checkDrops(fd int) error {
	var info [16]uint32
	size := uint32(unsafe.Sizeof(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, soMemInfo,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return fmt.Errorf("wire: losses: %w", errno)
	}
	if info[memInfoDrops] > 0 {
		return fmt.Errorf("wire: %d deliveries were lost", info[memInfoDrops])
	}
	return nil
}
