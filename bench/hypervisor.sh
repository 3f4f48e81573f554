# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# A guest of QEMU with the same smbd, as what one would use in place of a Vsv if it were a whole machine: for bench/data, which sources
# this after lib.sh.  Debian's kernel and smbd from the disk of tests/vm, which is not written, without an init system; its
# data lie on such a volume as everybody's, by virtio.  Without the processor's help QEMU emulates, and the row is named so.
#
# BENCH_VM_IMAGE is the folder that tests/vm/image has made; where there is none, hypervisor_begin says so.

# hypervisor_name: of the row.
hypervisor_name() {
	if grep -qwE 'vmx|svm' /proc/cpuinfo && [[ -w /dev/kvm ]]; then echo qemu-kvm; else echo qemu-unaccelerated; fi
}

# hypervisor_begin NUMBER VSV MIB: starts it with the address of that number, and the configuration of that Vsv's smbd.
hypervisor_begin() {
	local address=$NET4.$1 vsv=$2 mib=$3 accel=(-accel "tcg,thread=multi" -cpu max)

	command -v qemu-system-x86_64 >/dev/null || { echo "there is no qemu-system-x86_64"; return 1; }
	[[ -e ${BENCH_VM_IMAGE:-}/disk ]] || { echo "its disk could not be made: ${BENCH_VM_WHY:-tools/bench does it}"; return 1; }
	[[ $(hypervisor_name) != qemu-kvm ]] || accel=(-accel kvm -cpu host)
	vsv hand-qemu "$1" --volume "data=${mib}M"
	hand_smb_conf qemu "$vsv" "$address"
	mkdir "$T/qemu"
	cp "$HAND/qemu.smb.conf" "$T/qemu/smb.conf"
	cat >"$T/qemu/begin" <<-END
		export PATH=/usr/sbin:/usr/bin:/sbin:/bin
		modprobe virtio_net
		ip link set lo up
		until ip link set eth0 up; do sleep 0.1; done
		ip addr add $address/24 dev eth0
		mount -t tmpfs tmpfs $HAND
		mkdir -p $HAND/qemu $HAND/qemu-run/{lib,private,cache,run,log}
		mount -o nosuid,nodev,errors=remount-ro /dev/vdc $HAND/qemu
		mkdir -p -m 1777 $HAND/qemu/share
		/usr/sbin/smbd --foreground --no-process-group --configfile=/run/vnas-bench/smb.conf
		echo "smbd ended: \$?"
		tail -n 5 $HAND/qemu-run/log/smbd
		sleep infinity
	END
	tar -cf "$T/qemu.tar" -C "$T/qemu" .
	truncate -s %512 "$T/qemu.tar"
	ip tuntap add t-qemu mode tap
	ip link set t-qemu master lan up
	# Its first mebibyte is the label.
	TMPDIR=$T qemu-system-x86_64 -machine q35 "${accel[@]}" -smp 2 -m 1G -nodefaults -no-user-config -display none -no-reboot \
		-kernel "$BENCH_VM_IMAGE/vmlinuz" -initrd "$BENCH_VM_IMAGE/initrd" \
		-append 'root=/dev/vda rw console=ttyS0 quiet panic=-1 mitigations=off no_timer_check init=/bin/bash -- -c "mkdir /run/vnas-bench; tar -xf /dev/vdb -C /run/vnas-bench; . /run/vnas-bench/begin"' \
		-drive "file=$BENCH_VM_IMAGE/disk,if=none,id=root,format=raw,snapshot=on" -device virtio-blk-pci,drive=root \
		-drive "file=$T/qemu.tar,if=none,id=tar,format=raw,readonly=on" -device virtio-blk-pci,drive=tar \
		-blockdev "driver=raw,node-name=data,offset=1048576,file.driver=file,file.filename=$LIB/volumes/hand-qemu.data.img" \
		-device virtio-blk-pci,drive=data \
		-netdev tap,id=lan,ifname=t-qemu,script=no,downscript=no -device virtio-net-pci,netdev=lan,mac=52:54:00:86:00:01 \
		-device virtio-rng-pci -serial "file:$T/qemu.console" </dev/null >"$T/qemu.log" 2>&1 &
	hypervisor_pid=$!
}

hypervisor_alive() {
	kill -0 "$hypervisor_pid"
}

# hypervisor_settled COMMAND…: it succeeds, or the guest is over.
hypervisor_settled() {
	"$@" || ! hypervisor_alive
}

# hypervisor_why: what it said last.
hypervisor_why() {
	cat "$T/qemu.log" "$T/qemu.console" 2>/dev/null | tr -d '\r' | grep . | tail -n 3
}

hypervisor_end() {
	kill -KILL "$hypervisor_pid" 2>/dev/null || true
	wait "$hypervisor_pid" 2>/dev/null || true
}
