import { createHash, generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@cleat/protocol/errors';
import { unavailable, writeFileDurably } from '@cleat/sdk';
import { hostLinks, interfaceNames, runCommand } from '@cleat/sdk/linux';

/** Another host, as WireGuard is to know it. */
export interface Peer {
  publicKey: string;
  /** Where it is on the underlay: an address. */
  address: string;
  port: number;
}

export interface WireguardSettings {
  /** The name of its link. */
  link: string;
  /** Where the private key lies. */
  directory: string;
  /** The same for all hosts of a cluster: inner addresses are of its own subnet. */
  cluster: string;
  port: number;
  /** UDP, of the VXLAN links that go through it. */
  vxlanPort: number;
}

const keyFile = 'wireguard.key';

/** A tunnel to every other host that has encrypted networks. */
export class Wireguard {
  readonly #settings: WireguardSettings;
  readonly #links = hostLinks();
  readonly #privateKey: string;
  readonly publicKey: string;
  #peers = '';
  /** Something was made, if not all. */
  #mayBeThere = false;

  constructor(settings: WireguardSettings) {
    this.#settings = settings;
    const keys = readKeys(join(settings.directory, keyFile));
    this.#privateKey = keys.privateKey;
    this.publicKey = keys.publicKey;
  }

  get link(): string {
    return this.#settings.link;
  }

  get isThere(): boolean {
    return interfaceNames().has(this.link);
  }

  /** The address inside the tunnel of the host that has that key: it follows from the key, so nobody hands it out. */
  innerAddress(publicKey: string): string {
    const hex = (text: string) => createHash('sha256').update(text).digest('hex');
    const [net, host] = [hex(this.#settings.cluster), hex(publicKey)];
    const words = [
      `fd${net.slice(0, 2)}`,
      net.slice(2, 6),
      net.slice(6, 10),
      net.slice(10, 14),
      ...(host.slice(0, 16).match(/.{4}/g) ?? []),
    ];
    return words.map((word) => Number.parseInt(word, 16).toString(16)).join(':');
  }

  /**
   * Makes the link: the kernel's, or else that of `wireguard-go`. It is there with all that makes it safe, or not at all.
   * @throws Unavailable where there is neither
   */
  async make(mtu: number): Promise<void> {
    const { link } = this.#settings;
    this.#peers = '';
    this.#links.forget();
    this.#mayBeThere = true;
    await refuseWithoutTool();
    await this.refuseUnencrypted();
    await makeLink(link);
    try {
      await this.#links.run([
        `link set dev ${link} mtu ${mtu} up`,
        `address add ${this.innerAddress(this.publicKey)}/64 nodad dev ${link}`,
      ]);
    } catch (error) {
      await this.#links.remove(link);
      throw error;
    }
  }

  /** Only what came through the tunnel may get to an encrypted network. Once more does no harm. */
  async refuseUnencrypted(): Promise<void> {
    const { link, vxlanPort } = this.#settings;
    await runNft(
      [
        `add table inet ${link}`,
        `delete table inet ${link}`,
        `add table inet ${link}`,
        `add chain inet ${link} input { type filter hook input priority -10; }`,
        `add rule inet ${link} input udp dport ${vxlanPort} iifname != "${link}" drop`,
        '',
      ].join('\n'),
    );
  }

  async setPeers(peers: readonly Peer[]): Promise<void> {
    const { link, port } = this.#settings;
    const text = [
      '[Interface]',
      `PrivateKey = ${this.#privateKey}`,
      `ListenPort = ${port}`,
      ...peers.flatMap((peer) => [
        '[Peer]',
        `PublicKey = ${peer.publicKey}`,
        `AllowedIPs = ${this.innerAddress(peer.publicKey)}/128`,
        `Endpoint = ${peer.address.includes(':') ? `[${peer.address}]` : peer.address}:${peer.port}`,
      ]),
      '',
    ].join('\n');
    if (text === this.#peers) return;
    const { code, stderr } = await runCommand('wg', ['syncconf', link, '/dev/stdin'], { input: text });
    if (code !== 0) throw unavailable(`wg syncconf ${link}: ${stderr.trim()}`);
    this.#peers = text;
  }

  async remove(): Promise<void> {
    if (!this.#mayBeThere && !this.isThere) return;
    await this.#links.remove(this.link);
    this.#mayBeThere = false;
    await runNft(`add table inet ${this.link}\ndelete table inet ${this.link}\n`);
  }
}

/** @throws Unavailable where the tool is missing that tells either of them about other hosts */
async function refuseWithoutTool(): Promise<void> {
  await runCommand('wg', ['--version']).catch((cause: unknown) => {
    throw unavailable(`there is no encryption on this host: ${messageOf(cause)} (package wireguard-tools)`, { cause });
  });
}

async function makeLink(link: string): Promise<void> {
  const kernel = await runCommand('ip', ['link', 'add', 'name', link, 'type', 'wireguard']);
  if (kernel.code === 0) return;
  // It goes on by itself: a plugin that ends leaves containers connected.
  const user = await runCommand('wireguard-go', [link]).catch((cause: unknown) => {
    const why = `its kernel has no WireGuard (${kernel.stderr.trim()}), and ${messageOf(cause)}`;
    throw unavailable(`there is no encryption on this host: ${why}`, { cause });
  });
  if (user.code !== 0) throw unavailable(`wireguard-go ${link}: ${user.stdout.trim()}`);
}

async function runNft(input: string): Promise<void> {
  const { code, stderr } = await runCommand('nft', ['-f', '-'], { input });
  if (code !== 0) throw unavailable(`nft: ${stderr.trim()}`);
}

/** The host's own pair, as WireGuard writes keys; made at the first time. */
function readKeys(path: string): { privateKey: string; publicKey: string } {
  if (!existsSync(path)) {
    const { d, x } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
    writeFileDurably(path, `${toBase64(d)}\n${toBase64(x)}\n`, { mode: 0o600 });
  }
  const [privateKey = '', publicKey = ''] = readFileSync(path, 'utf8').split('\n');
  return { privateKey, publicKey };
}

const toBase64 = (text = ''): string => Buffer.from(text, 'base64url').toString('base64');
