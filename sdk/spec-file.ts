import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { invalidParameter, messageOf } from '@cleat/protocol/errors';
import { writeFileDurably } from './durable-file.js';

/** Files that let an engine on this host trust a plugin, and be trusted: absolute paths of PEM files. */
export interface SpecTls {
  /** The CA that signed the plugin's certificate. */
  caFile: string;
  /** The engine's own certificate, for a plugin that asks for one. */
  certFile?: string;
  keyFile?: string;
}

/**
 * A file by which engines find a plugin that does not listen in their plugin directory: `.spec` holds the address,
 * `.json` also whom to trust (moby `pkg/plugins/discovery.go`).
 */
export class SpecFile {
  readonly #path: string;
  readonly #text: string;

  /**
   * Writes it, 0644, with its directory. A reader sees all of it or what was there before.
   * @param tls for a `.json` file, which has no meaning without
   * @throws InvalidParameter when it cannot be written
   */
  constructor(path: string, address: string, tls?: SpecTls) {
    this.#path = path;
    this.#text = tls ? jsonSpec(address, tls) : `${address}\n`;
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileDurably(path, this.#text, { mode: 0o644 });
    } catch (cause) {
      throw invalidParameter(`the spec file ${path} cannot be written: ${messageOf(cause)}`, { cause });
    }
  }

  /** Removes it, unless another has written it meanwhile. */
  remove(): void {
    if (read(this.#path) === this.#text) rmSync(this.#path, { force: true });
  }
}

function jsonSpec(address: string, { caFile, certFile, keyFile }: SpecTls): string {
  const TLSConfig = { InsecureSkipVerify: false, CAFile: caFile, CertFile: certFile, KeyFile: keyFile };
  return `${JSON.stringify({ Addr: address, TLSConfig }, null, 2)}\n`;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // Gone, or not ours to read: then it is not ours to remove either.
    return undefined;
  }
}
