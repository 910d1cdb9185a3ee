import { type Dirent, readdirSync, statSync } from 'node:fs';
import { basename, extname, join } from 'node:path';
import { messageOf } from '@cleat/protocol/errors';
import { readable } from '@cleat/protocol/untrusted';
import { type Address, addressText } from '../carriers/address.js';
import { SocketCarrier } from '../carriers/socket.js';
import { readSmallFile } from '../small-file.js';
import type { Place } from '../source.js';
import { type PluginSpec, parseJsonSpec, parseSpec } from './spec.js';

/**
 * Finds plugins as Docker does (moby `pkg/plugins/discovery.go`): in each directory `N.sock`, `N/N.sock`, `N.spec`,
 * `N.json`, `N/N.spec`, `N/N.json`. A socket anywhere wins over every file. Nothing is remembered: whatever is there at
 * the moment of the question counts, so nothing needs a restart.
 */
export function find(directories: readonly string[], name: string): Place | undefined {
  if (!isPluginName(name)) return undefined;
  for (const directory of directories) {
    const socket = findSocket(directory, name);
    if (socket) return socket;
  }
  for (const directory of directories) {
    for (const file of candidates(directory, name, ['.spec', '.json'])) {
      const place = describedPlace(file);
      if (place) return place;
    }
  }
  return undefined;
}

/** Names of all plugins that are there now, in order. Reads directories only, never a file or a socket. */
export function scan(directories: readonly string[]): string[] {
  const names = new Set<string>();
  for (const directory of directories) {
    for (const entry of list(directory)) {
      const extension = extname(entry.name);
      const name = basename(entry.name, extension);
      if (['.sock', '.spec', '.json'].includes(extension)) {
        if (isPluginName(name)) names.add(name);
      } else if ((entry.isDirectory() || entry.isSymbolicLink()) && isPluginName(entry.name)) {
        const inside = new Set(list(join(directory, entry.name)).map((child) => child.name));
        if (['.sock', '.spec', '.json'].some((ending) => inside.has(entry.name + ending))) names.add(entry.name);
      }
    }
  }
  return [...names].sort();
}

/** A name that cannot lead out of the directory, and that can be shown as it is. */
function isPluginName(name: string): boolean {
  return name !== '' && !name.startsWith('.') && !/[/\n\t]/.test(name) && readable(name, longestName) === name;
}

const longestName = 200;

function findSocket(directory: string, name: string): Place | undefined {
  for (const path of candidates(directory, name, ['.sock'])) {
    const facts = statOf(path);
    if (!facts?.isSocket()) continue;
    const address: Address = { type: 'unix', path };
    return {
      id: `${path} ${facts.dev}:${facts.ino}:${facts.ctimeMs}`,
      origin: path,
      address,
      open: async () => new SocketCarrier(address),
    };
  }
  return undefined;
}

function describedPlace(file: string): Place | undefined {
  let text: string | undefined;
  let spec: PluginSpec;
  try {
    text = readSmallFile(file);
    if (text === undefined) return undefined;
    spec = extname(file) === '.json' ? parseJsonSpec(text) : parseSpec(text);
  } catch (error) {
    // It is there, so it is found; its first user learns what is wrong with it.
    const why = messageOf(error);
    return { id: `${file} ${text ?? why}`, origin: `${file} (${readable(why)})`, open: () => Promise.reject(error) };
  }
  return {
    id: `${file} ${text}`,
    origin: `${file} (${addressText(spec.address)})`,
    address: spec.address,
    described: true,
    open: async () => new SocketCarrier(spec.address),
  };
}

function candidates(directory: string, name: string, endings: string[]): string[] {
  return endings.flatMap((ending) => [join(directory, name + ending), join(directory, name, name + ending)]);
}

function statOf(path: string) {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch {
    // A link in a circle, or one that leads through a file.
    return undefined;
  }
}

function list(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    // Most hosts have only some of the directories.
    return [];
  }
}
