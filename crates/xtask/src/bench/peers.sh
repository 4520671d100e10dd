# The kernel's own chain of four routers between two hosts, and the same with WireGuard between each
# outer pair of routers: iperf3 across each, one line of JSON a time.
#
# Runs inside namespaces that end with it: unshare --net --mount --pid --fork --kill-child.
set -euo pipefail
umask 077

mount -t tmpfs tmpfs /run
mkdir /run/netns
mount -t proc proc /proc
tools=$(mktemp -d -p /run)

# The nodes are 0 to 5; link N is between nodes N and N+1, and 10.9.N.0/24.
for node in 0 1 2 3 4 5; do
    ip netns add "n$node"
    ip -n "n$node" link set lo up
    ip netns exec "n$node" sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.disable_ipv6=1
done
for link in 0 1 2 3 4; do
    next=$((link + 1))
    ip link add "r$link" netns "n$link" type veth peer name "l$link" netns "n$next"
    ip -n "n$link" addr add "10.9.$link.1/24" dev "r$link"
    ip -n "n$next" addr add "10.9.$link.2/24" dev "l$link"
    # What a router of ours takes off its ports: a packet is a packet.
    ip netns exec "n$link" ethtool -K "r$link" tso off gso off gro off tx off >/dev/null
    ip netns exec "n$next" ethtool -K "l$link" tso off gso off gro off tx off >/dev/null
    ip -n "n$link" link set "r$link" up
    ip -n "n$next" link set "l$link" up
done
for node in 0 1 2 3 4 5; do
    for link in 0 1 2 3 4; do
        if [ "$link" -gt "$node" ]; then
            ip -n "n$node" route add "10.9.$link.0/24" via "10.9.$node.2"
        elif [ "$link" -lt $((node - 1)) ]; then
            ip -n "n$node" route add "10.9.$link.0/24" via "10.9.$((node - 1)).1"
        fi
    done
done

measure() {
    ip netns exec n5 iperf3 -s -1 -B 10.9.4.2 >/dev/null 2>&1 &
    local server=$!
    until ip netns exec n5 ss -Hltn sport = 5201 | grep -q .; do kill -0 "$server"; done
    ip netns exec n0 iperf3 -c 10.9.4.2 -J "$@" | tr -d '\n'
    echo
    wait "$server"
}

measure -t "$1"
measure -t "$1" -u -l 64 -b 0

# A tunnel over link 1 and one over link 3; what goes to the far hosts goes through both.
tunnel() {
    local a="n$1" b="n$(($1 + 1))" node
    for node in "$a" "$b"; do
        wg genkey >"$tools/$node.key"
        wg pubkey <"$tools/$node.key" >"$tools/$node.pub"
        mkdir -p "$tools/$node"
        # Its control socket's folder is the same everywhere, and so is the interface's name.
        unshare --mount bash -c "mkdir -p /run/wireguard && mount --bind $tools/$node /run/wireguard &&
            ip netns exec $node wireguard-go -f wg0 >/dev/null 2>&1" &
        until [ -S "$tools/$node/wg0.sock" ]; do kill -0 $!; done
    done
    configure() {
        ip netns exec "$1" bash -c "mkdir -p /run/wireguard && mount --bind $tools/$1 /run/wireguard &&
            wg set wg0 listen-port 51820 private-key $tools/$1.key \
                peer $(cat "$tools/$2.pub") endpoint $3:51820 allowed-ips 0.0.0.0/0"
        ip -n "$1" link set wg0 mtu 1420 up
    }
    configure "$a" "$b" "10.9.$1.2"
    configure "$b" "$a" "10.9.$1.1"
    ip -n "$a" route replace 10.9.4.0/24 dev wg0
    ip -n "$b" route replace 10.9.0.0/24 dev wg0
}
tunnel 1
tunnel 3
measure -t "$1" -M 1300
