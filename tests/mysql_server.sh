#!/usr/bin/env bash
# mysql_server.sh FOLDER: a real MySQL server, unpacked in FOLDER from the packages of Debian
# (unstable: no other has it) or of this Ubuntu. Nothing is installed; signatures are checked with
# the machine's own keyring. Needs apt-get, dpkg-deb, about 350 MB and under a minute, once: a
# FOLDER that is there already is kept. Then FOLDER/mysqld runs it: give it --no-defaults, a data
# folder made by --initialize-insecure, and a user that is not root.
# Debian's version moves (9.7 when this was written): remove FOLDER for the newest one.
set -euo pipefail
folder=$1

die() {
    printf 'ERRORE: %s\n' "$1" >&2
    exit 1
}

mkdir -p "$folder"
[[ -O $folder ]] || die "$folder è di un altro utente"
exec {turn}<"$folder"
flock "$turn" # two at once take turns
[[ ! -x $folder/mysqld ]] || exit 0

for program in apt-get dpkg-deb; do
    command -v "$program" >/dev/null || die "manca $program: MySQL si prova su Debian o Ubuntu"
done
# shellcheck source=/dev/null
. /etc/os-release
case ${ID:-} in
debian) suite=sid ;;
ubuntu) suite=$VERSION_CODENAME ;;
*) die "su ${PRETTY_NAME:-questo sistema} non so procurare MySQL: si prova su Debian o Ubuntu" ;;
esac
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
    grep -v security | head -n 1)
[[ -n $mirror ]] || die "apt non ha elenchi di pacchetti: prima serve apt-get update"

work=$folder/part
rm -rf "$work"
mkdir -p "$work"/{lists/partial,cache/archives/partial,root}
keyring=/usr/share/keyrings/$ID-archive-keyring.gpg
echo "deb [signed-by=$keyring] $mirror $suite main" >"$work/sources.list"
: >"$work/status" # nothing is taken for installed: MySQL gets every library that it needs
cat >"$work/apt.conf" <<CONF
Dir::Etc::sourcelist "$work/sources.list";
Dir::Etc::sourceparts "-";
Dir::Etc::preferences "-";
Dir::Etc::preferencesparts "-";
Dir::State "$work";
Dir::State::lists "$work/lists";
Dir::State::status "$work/status";
Dir::Cache "$work/cache";
APT::Install-Recommends "false";
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Debug::NoLocking "true";
CONF
export APT_CONFIG=$work/apt.conf

# The package's name has the version in it where more than one is kept.
download() {
    local package
    apt-get -q update || return
    package=$(apt-cache --names-only search '^mysql-server-core' | cut -d ' ' -f 1 | sort -V | tail -n 1)
    apt-get -q -y --download-only install "${package:-mysql-server-core}"
}
printf '· scarico MySQL in %s (una volta sola)\n' "$folder" >&2
download >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    die "i pacchetti di MySQL non si possono scaricare da $mirror"
}
for package in "$work"/cache/archives/*.deb; do
    dpkg-deb --fsys-tarfile "$package" |
        tar -x -C "$work/root" --exclude=./usr/share/doc --exclude=./usr/share/man
done
rm -rf "$work/cache" "$work/lists"

loader=$(cd "$work/root" && find . -name 'ld-linux*' -path '*lib*' | head -n 1)
machine=$(uname -m)-linux-gnu
cat >"$work/mysqld" <<WRAPPER
#!/bin/sh
# MySQL with the libraries it was built for.
root=\$(dirname "\$(readlink -f "\$0")")/root
libraries=\$root/usr/lib/$machine:\$root/lib/$machine:\$root/usr/lib/mysql/private
exec "\$root/$loader" --library-path "\$libraries" "\$root/usr/sbin/mysqld" "\$@"
WRAPPER
chmod 755 "$work/mysqld"
rm -rf "$folder/root"
mv "$work/root" "$folder/root"
mv "$work/mysqld" "$folder/mysqld"
rm -rf "$work"
chmod 755 "$folder"
