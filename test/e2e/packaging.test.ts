import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkout } from './support/documents.js';

/** The Debian package, built by Debian's tools, and what an administrator does with it. */
let directory: string;
let deb: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'cleat-deb-'));
  // The package is not sent anywhere: to make it as small as can be would take longer than all else here.
  const quick = { DPKG_DEB_COMPRESSOR_TYPE: 'zstd', DPKG_DEB_COMPRESSOR_LEVEL: '1' };
  const env = { ...process.env, ...quick };
  await promisify(execFile)(join(checkout, 'packaging/deb'), ['--output', directory], { env });
  deb = readdirSync(directory).find((name) => name.endsWith('.deb')) ?? '';
}, 600_000);
afterAll(() => rmSync(directory, { recursive: true }));

/**
 * Runs a script in a copy of this system that is forgotten afterwards: an overlay over its root, in mount, network and
 * PID namespaces of its own, so that nothing that is installed or started there reaches the host.
 * @returns what the script said, and after `left:` what it changed in the system, beside the records of dpkg
 */
async function onCopyOfThisSystem(script: string): Promise<string> {
  writeFileSync(join(directory, 'script'), script);
  const setUp = `
    set -e
    cd ${directory} && mkdir -p memory
    mount -t tmpfs tmpfs memory && mkdir memory/upper memory/work memory/root
    mount -t overlay overlay -o lowerdir=/,upperdir=memory/upper,workdir=memory/work memory/root
    cp script ${deb} memory/root/tmp
    for tree in dev sys; do mount --rbind /$tree memory/root/$tree; done
    mount -t proc proc memory/root/proc
    mount -t tmpfs tmpfs memory/root/run
    rm -f memory/root/var/lib/man-db/auto-update # Else the index of all manual pages is made at each step.
    ip link set lo up
    chroot memory/root /bin/bash -e /tmp/script
    echo 'left:'
    cd memory/upper && find . ! -type d ! -path './tmp/*' ! -path './var/lib/dpkg/*' ! -path './var/log/*' \\
      ! -path './var/cache/*' ! -path './var/lib/man-db/*' ! -path './etc/group*' ! -path './etc/gshadow*'
    find . -name '*cleat*' ! -path './var/*' ! -path './tmp/*'`;
  // Mounts of others go from there when they go from here: else their disks stayed busy.
  const namespaces = ['--mount', '--propagation=slave', '--net', '--pid', '--ipc', '--fork', '--kill-child'];
  const { stdout } = await promisify(execFile)('unshare', [...namespaces, 'sh', '-c', setUp], { timeout: 540_000 });
  return stdout;
}

test('it installs, serves, tells what it is, and goes without a trace, as does what the installer puts beside it', async () => {
  const said = await onCopyOfThisSystem(`
    dpkg -i /tmp/${deb} >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; exit 1; }
    dpkg -i /tmp/${deb} >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; exit 1; }
    cleat --version
    cleatd --validate --config-file /dev/null
    for page in man1/cleat.1.gz man8/cleatd.8.gz; do zcat /usr/share/man/$page | groff -man -Tutf8 -ww 2>&1 >/dev/null; done
    for name in cleat cleatd; do . /usr/share/bash-completion/completions/$name; complete -p $name; done
    COMP_WORDS=(cleat ext) COMP_CWORD=1; _cleat; echo "completed: $COMPREPLY"
    COMP_WORDS=(cleatd --log-level w) COMP_CWORD=2; _cleatd; echo "completed: $COMPREPLY"
    ls /lib/systemd/system/cleat.service /lib/systemd/system/cleat.socket
    grep -h ExecStart= /lib/systemd/system/cleat.service
    getent group docker >/dev/null && echo 'there is a group docker'
    cleatd -H unix:///run/c.sock --data-root /run/data --exec-root /run/exec --bridge none >/run/log 2>&1 &
    for try in $(seq 600); do [ -S /run/c.sock ] && break; sleep 0.1; done
    cleat extensions -H unix:///run/c.sock | cut -d ' ' -f 1 | head -n 2
    kill $! && wait $!
    for flag in --uninstall ''; do ${checkout}packaging/install --prefix /usr $flag 2>&1 && exit 1; done
    cleat --version >/dev/null
    mkdir /var/lib/cleat && touch /var/lib/cleat/lock
    flock /var/lib/cleat/lock sleep 1000 & until ! flock -n /var/lib/cleat/lock true; do sleep 0.1; done
    dpkg -r cleat >/dev/null && dpkg -P cleat 2>&1 >/dev/null | grep -o 'an engine runs on /var/lib/cleat: it is kept'
    ls /var/lib/cleat
    kill $! && rm -r /var/lib/cleat
    hash -r
    dpkg -i /tmp/${deb} >/tmp/dpkg.log 2>&1
    mkdir /var/lib/cleat && mount -t tmpfs tmpfs /var/lib/cleat && touch /var/lib/cleat/lock
    dpkg -P cleat >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log; exit 1; }
    ls -A /var/lib/cleat && umount /var/lib/cleat && rmdir /var/lib/cleat
    ${checkout}packaging/install >/dev/null
    /usr/local/bin/cleat help sweep | head -n 1
    grep -h ExecStart= /usr/local/lib/systemd/system/cleat.service
    ${checkout}packaging/install --uninstall >/dev/null
    ${checkout}packaging/install --uninstall 2>&1 && exit 1
    mkdir -p /tmp/other/bin && touch /tmp/other/bin/cleat
    ${checkout}packaging/install --prefix /tmp/other 2>&1 && exit 1
    find /tmp/other -type f
  `);
  expect(said.trim().split('\n')).toEqual([
    expect.stringMatching(/^Cleat version \d/),
    'configuration OK',
    'complete -F _cleat cleat',
    'complete -F _cleatd cleatd',
    'completed: extensions',
    'completed: warn',
    '/lib/systemd/system/cleat.service',
    '/lib/systemd/system/cleat.socket',
    'ExecStart=/usr/bin/cleatd -H fd://',
    'there is a group docker',
    'NAME',
    expect.stringMatching(/^\w+/),
    ...Array(2).fill(
      'install: what is in /usr/lib/cleat came with a Debian package, which is left alone: apt-get remove cleat',
    ),
    'an engine runs on /var/lib/cleat: it is kept',
    'lock',
    expect.stringMatching(/^Usage: cleat sweep/),
    'ExecStart=/usr/local/bin/cleatd -H fd://',
    'install: nothing is installed below /usr/local',
    'install: /tmp/other/bin/cleat is not of this installer: it is left alone',
    '/tmp/other/bin/cleat',
    'left:',
  ]);
});
