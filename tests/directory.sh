# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Real directory servers, each on a client host of a test's own network (tests/network.sh), and what the tests of them share,
# which expects tests/lib.sh.

# step_is SERVER NAME STEP RESULT PATTERN [WORD…]: what `directory test` says of a step. A machine with much to do lets single
# questions run out of their time, so it may say something else first.
step_is() {
	local server=$1 name=$2 step=$3 result=$4 pattern=$5 out input='' i

	shift 5
	[[ " $* " != *" --password-stdin "* ]] || read -r input
	for i in 1 2 3 4 5 6 7 8 9; do
		out=$(vnas directory test "$server" --json "$@" 2>&1 <<<"$input") || true
		if jq -e --arg s "$step" --arg r "$result" --arg p "$pattern" \
			'any(.steps[]; .step == $s and .result == $r and (.what | test($p)))' <<<"$out" >/dev/null; then
			ok "$name"
			return
		fi
		sleep "$i"
	done
	not_ok "$name" "$out"
}

# directory_is SERVER STATE, finds SERVER USER: to be checked.
directory_is() {
	[[ $(server_json "$1" .directory.state) == "$2" ]]
}

# deaf_to_psv HOST: a server that cannot answer the Psv's own addresses, so that all of a test that succeeds has asked with those
# of a Vsv.  psv_is_deaf ADDRESS PORT: the Psv itself reaches nothing there.
deaf_to_psv() {
	on "$1" ip route add blackhole "$NET4.1/32"
	on "$1" ip -6 route add blackhole "$NET6:1/128"
}

psv_is_deaf() {
	! timeout 1 bash -c "exec 3<>/dev/tcp/$1/$2" 2>/dev/null
}

finds() {
	vnas exec "$1" -- getent passwd "$2"
}

# --- certificates -----------------------------------------------------------------------------------------------------

# ca_make NAME: a department's certificate authority, $T/ca/NAME.pem.
ca_make() {
	mkdir -p "$T/ca"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$T/ca/$1.key" -out "$T/ca/$1.pem" \
		-days 3650 -subj "/CN=$1" 2>/dev/null
}

# cert_make CA HOST ADDRESS [FROM UNTIL]: $T/HOST/cert.pem and key.pem; FROM and UNTIL as YYYYMMDDHHMMSSZ.
cert_make() {
	local ca=$1 host=$2 address=$3 from=${4:-$(date -u -d '-1 day' +%Y%m%d%H%M%SZ)}
	local until=${5:-$(date -u -d '+1 year' +%Y%m%d%H%M%SZ)} dir=$T/$2

	mkdir -p "$dir"
	rm -rf "$dir/ca"
	mkdir "$dir/ca"
	: >"$dir/ca/index"
	printf '%08X\n' $((RANDOM * 32768 + RANDOM)) >"$dir/ca/serial"
	cat >"$dir/ca/conf" <<-END
		[ca]
		default_ca = own
		[own]
		database = $dir/ca/index
		serial = $dir/ca/serial
		new_certs_dir = $dir/ca
		default_md = sha256
		policy = any
		x509_extensions = ext
		[any]
		commonName = supplied
		[ext]
		subjectAltName = DNS:$host.example,IP:$address
	END
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$dir/key.pem" -out "$dir/ca/csr" \
		-subj "/CN=$host.example" 2>/dev/null
	openssl ca -batch -config "$dir/ca/conf" -cert "$T/ca/$ca.pem" -keyfile "$T/ca/$ca.key" -startdate "$from" \
		-enddate "$until" -in "$dir/ca/csr" -out "$dir/cert.pem" -notext 2>"$dir/ca/log" || cat "$dir/ca/log"
}

# --- OpenLDAP -----------------------------------------------------------------------------------------------------------

ldap_base=dc=sales,dc=example

# ldap_make HOST ADDRESS LDIF…: an empty directory $ldap_base with a reader, an admin, and the LDIF files; TLS with
# $T/HOST/cert.pem, judged by nobody.
ldap_make() {
	local host=$1 dir=$T/$1 f

	shift 2
	mkdir -p "$dir/db"
	rm -rf "$dir/db/"*
	cat >"$dir/slapd.conf" <<-END
		include /etc/ldap/schema/core.schema
		include /etc/ldap/schema/cosine.schema
		include /etc/ldap/schema/inetorgperson.schema
		include /etc/ldap/schema/nis.schema
		include $PWD/tests/samba.schema
		pidfile $dir/slapd.pid
		modulepath /usr/lib/ldap
		moduleload back_mdb
		TLSCertificateFile $dir/cert.pem
		TLSCertificateKeyFile $dir/key.pem
		database mdb
		maxsize 268435456
		directory $dir/db
		suffix "$ldap_base"
		rootdn "cn=admin,$ldap_base"
		rootpw admin-secret
		# As servers are: who gives no password sees nothing.
		access to attrs=userPassword,sambaNTPassword by anonymous auth by * none
		access to * by dn.exact="cn=reader,$ldap_base" read by anonymous auth by * none
		index objectClass,uid,uidNumber,gidNumber,memberUid,cn,sambaSID eq
	END
	{
		cat <<-END
			dn: $ldap_base
			objectClass: dcObject
			objectClass: organization
			o: Sales
			dc: sales

			dn: ou=people,$ldap_base
			objectClass: organizationalUnit
			ou: people

			dn: ou=groups,$ldap_base
			objectClass: organizationalUnit
			ou: groups

			dn: cn=reader,$ldap_base
			objectClass: organizationalRole
			objectClass: simpleSecurityObject
			cn: reader
			userPassword: reader-secret

		END
		for f; do
			cat "$f"
			echo
		done
	} >"$dir/all.ldif"
	slapadd -q -f "$dir/slapd.conf" -l "$dir/all.ldif"
}

# ldap_user NAME UID GID: an entry.  ldap_group NAME GID MEMBER…
ldap_user() {
	cat <<-END
		dn: uid=$1,ou=people,$ldap_base
		objectClass: account
		objectClass: posixAccount
		uid: $1
		cn: $1
		uidNumber: $2
		gidNumber: $3
		homeDirectory: /home/$1

	END
}

ldap_group() {
	local name=$1 gid=$2 member

	shift 2
	printf 'dn: cn=%s,ou=groups,%s\nobjectClass: posixGroup\ncn: %s\ngidNumber: %s\n' "$name" "$ldap_base" "$name" "$gid"
	for member; do
		printf 'memberUid: %s\n' "$member"
	done
	echo
}

# ldap_start HOST ADDRESS, ldap_stop HOST.
ldap_start() {
	on "$1" slapd -f "$T/$1/slapd.conf" -h "ldap://$2 ldaps://$2"
	eventually 10 on "$1" ldapwhoami -x -H "ldap://$2" -D "cn=reader,$ldap_base" -w reader-secret
}

ldap_stop() {
	local pid

	pid=$(cat "$T/$1/slapd.pid")
	kill "$pid"
	while [[ -d /proc/$pid ]]; do
		sleep 0.02
	done
}

# ldap_change HOST ADDRESS: LDIF of changes on standard input.
ldap_change() {
	on "$1" ldapmodify -x -H "ldap://$2" -D "cn=admin,$ldap_base" -w admin-secret >/dev/null
}

# --- NIS ------------------------------------------------------------------------------------------------------------------

nis_domain=dept2

# nis_make HOST PASSWD GROUP [HOSTS]: maps out of files in the manner of /etc/passwd, /etc/group and /etc/hosts.
nis_make() {
	local dir=$T/$1/yp

	rm -rf "$dir"
	mkdir -p "$dir/$nis_domain" "$dir/binding"
	: >"$dir/securenets"
	nis_map "$1" passwd.byname < <(awk -F: '{ print $1 " " $0 }' "$2")
	nis_map "$1" passwd.byuid < <(awk -F: '{ print $3 " " $0 }' "$2")
	nis_map "$1" group.byname < <(awk -F: '{ print $1 " " $0 }' "$3")
	nis_map "$1" group.bygid < <(awk -F: '{ print $3 " " $0 }' "$3")
	nis_map "$1" ypservers <<<"$1 $1"
	if [[ ${4:-} ]]; then
		nis_map "$1" hosts.byname < <(awk '{ print $2 " " $0 }' "$4")
		nis_map "$1" hosts.byaddr < <(awk '{ print $1 " " $0 }' "$4")
	fi
}

nis_map() {
	/usr/lib/yp/makedbm -i /dev/null -o /dev/null -m "$1" - "$T/$1/yp/$nis_domain/$2"
}

# nis_inside HOST DIR DOMAIN: becomes the server, with folders and names of its own.
nis_inside() {
	mount --make-rprivate /
	mount -t tmpfs nis /run
	mkdir /run/rpcbind
	mount --bind "$2/yp" /var/yp
	hostname "$1"
	domainname "$3"
	rpcbind -f &
	echo $! >"$2/rpcbind.pid"
	while [[ ! -S /run/rpcbind.sock ]]; do
		sleep 0.02
	done
	echo $$ >"$2/ypserv.pid"
	exec ypserv -f
}

# nis_start HOST, nis_stop HOST.
nis_start() {
	on "$1" unshare --mount --uts bash -c "$(declare -f nis_inside); nis_inside '$1' '$T/$1' '$nis_domain'" \
		>"$T/$1/log" 2>&1 </dev/null &
	eventually 10 on "$1" rpcinfo -T udp 127.0.0.1 ypserv
}

nis_stop() {
	local pid

	for pid in $(cat "$T/$1/ypserv.pid" "$T/$1/rpcbind.pid"); do
		kill "$pid"
		while [[ -d /proc/$pid ]]; do
			sleep 0.02
		done
	done
}
