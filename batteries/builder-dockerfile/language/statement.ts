import { fault } from './fault.js';
import { readFlags } from './flags.js';
import { healthcheckOf } from './healthcheck.js';
import { contentOf, type Heredoc, heredocOf } from './heredoc.js';
import type { CommandLine, CopyFlags, Inline, Statement } from './instruction.js';
import type { Escape } from './lines.js';
import { readMount } from './run-mounts.js';
import { type Command, jsonList, pairsOf, plainWords, quotedWords } from './words.js';

/** The parts of an instruction: its command, and the documents below it. */
interface Given extends Command {
  readonly escape: Escape;
  readonly heredocs: readonly Heredoc[];
  /** The whole line. */
  readonly text: string;
}

const atLeastOne = (name: string) => fault(`${name} requires at least one argument`);
const exactlyOne = (name: string) => fault(`${name} requires exactly one argument`);

/** Instructions that have no flags. */
function withoutFlags({ flags }: Given): void {
  readFlags(flags, {});
}

function value(name: 'MAINTAINER' | 'STOPSIGNAL' | 'USER' | 'WORKDIR') {
  return (given: Given): Statement => {
    if (given.rest === '') throw exactlyOne(name);
    withoutFlags(given);
    return { name, value: given.rest };
  };
}

function pairs(name: 'ENV' | 'LABEL') {
  return (given: Given): Statement => {
    withoutFlags(given);
    return { name, pairs: pairsOf(given.rest, name, given.escape) };
  };
}

function command(name: 'CMD' | 'ENTRYPOINT') {
  return (given: Given): Statement => {
    withoutFlags(given);
    return { name, command: commandLine(given.rest) };
  };
}

/** The readers of all instructions but FROM (BuildKit `instructions/parse.go`). */
const readers = {
  ADD(given) {
    const { chown, chmod, link, exclude, checksum, unpack, ...flags } = readFlags(given.flags, {
      chown: 'value',
      chmod: 'value',
      link: 'flag',
      'keep-git-dir': 'flag',
      checksum: 'value',
      unpack: 'flag',
      exclude: 'values',
    });
    const keepGitDir = flags['keep-git-dir'];
    return {
      name: 'ADD',
      ...sourcesOf(given, 'ADD'),
      ...copyFlags({ chown, chmod, link, exclude }),
      ...(checksum !== undefined && { checksum }),
      ...(keepGitDir !== undefined && { keepGitDir }),
      ...(unpack !== undefined && { unpack }),
    };
  },
  ARG(given) {
    const words = quotedWords(given.rest, given.escape);
    if (words.length === 0) throw atLeastOne('ARG');
    const args = words.map((word) => {
      const at = word.indexOf('=');
      if (at === 0) throw fault('ARG names can not be blank');
      return at < 0 ? { key: word } : { key: word.slice(0, at), value: word.slice(at + 1) };
    });
    return { name: 'ARG', args };
  },
  CMD: command('CMD'),
  COPY(given) {
    const { chown, chmod, link, exclude, from, parents } = readFlags(given.flags, {
      chown: 'value',
      from: 'value',
      chmod: 'value',
      link: 'flag',
      exclude: 'values',
      parents: 'flag',
    });
    return {
      name: 'COPY',
      ...sourcesOf(given, 'COPY'),
      ...copyFlags({ chown, chmod, link, exclude }),
      ...(from && { from }),
      parents: parents ?? false,
    };
  },
  ENTRYPOINT: command('ENTRYPOINT'),
  ENV: pairs('ENV'),
  EXPOSE(given) {
    const ports = plainWords(given.rest);
    if (ports.length === 0) throw atLeastOne('EXPOSE');
    withoutFlags(given);
    return { name: 'EXPOSE', ports: ports.toSorted() };
  },
  HEALTHCHECK: (given) => ({ name: 'HEALTHCHECK', check: healthcheckOf(given) }),
  LABEL: pairs('LABEL'),
  MAINTAINER: value('MAINTAINER'),
  ONBUILD(given) {
    const [, word = ''] = /^(\S+)/.exec(given.rest) ?? [];
    if (word === '') throw atLeastOne('ONBUILD');
    withoutFlags(given);
    const trigger = word.toUpperCase();
    if (trigger === 'ONBUILD') throw fault("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (trigger === 'MAINTAINER' || trigger === 'FROM') throw fault(`${trigger} isn't allowed as an ONBUILD trigger`);
    const documents = given.heredocs.map(({ name, content }) => `\n${content}${name}`).join('');
    return { name: 'ONBUILD', trigger: given.text.trim().replace(/^ONBUILD\s*/i, '') + documents };
  },
  RUN(given) {
    const { mount, network, security, device } = readFlags(given.flags, {
      mount: 'values',
      network: 'value',
      security: 'value',
      device: 'values',
    });
    if (device) throw fault('--device of RUN is not supported: run what needs the device in a container instead');
    if (network !== undefined && network !== 'default' && network !== 'none' && network !== 'host') {
      throw fault(`invalid network mode ${JSON.stringify(network)}`);
    }
    if (security !== undefined && security !== 'sandbox' && security !== 'insecure') {
      throw fault(`security ${JSON.stringify(security)} is not valid`);
    }
    // A mount that cannot be right is refused before anything is built.
    for (const one of mount ?? []) if (!one.includes('$')) readMount(one, (text) => text);
    return {
      name: 'RUN',
      command: commandLine(given.rest),
      heredocs: given.heredocs,
      mounts: mount ?? [],
      network: network ?? 'default',
      security: security ?? 'sandbox',
    };
  },
  SHELL(given) {
    withoutFlags(given);
    const shell = jsonList(given.rest);
    if (given.rest === '' || shell?.length === 0) throw atLeastOne('SHELL');
    if (shell === undefined) throw fault(`SHELL requires the arguments to be in JSON form${inJson(given.rest)}`);
    return { name: 'SHELL', shell };
  },
  STOPSIGNAL: value('STOPSIGNAL'),
  USER: value('USER'),
  VOLUME(given) {
    const volumes = (jsonList(given.rest) ?? plainWords(given.rest)).map((one) => one.trim());
    if (volumes.length === 0) throw atLeastOne('VOLUME');
    withoutFlags(given);
    if (volumes.includes('')) throw fault('VOLUME specified can not be an empty string');
    return { name: 'VOLUME', volumes };
  },
  WORKDIR: value('WORKDIR'),
} satisfies { [N in Statement['name']]: (given: Given) => Statement };

export const instructionNames = [...Object.keys(readers), 'FROM'];

/** The reader of an instruction, whose name is in any case; undefined for FROM and for what is none. */
export function readerOf(name: string): ((given: Given) => Statement) | undefined {
  const key = name.toUpperCase();
  return Object.hasOwn(readers, key) ? readers[key as Statement['name']] : undefined;
}

function inJson(text: string): string {
  return `: SHELL ${JSON.stringify(plainWords(text))}`;
}

function commandLine(text: string): CommandLine {
  const list = jsonList(text);
  return list ? { list } : { text };
}

function copyFlags(given: { chown?: string; chmod?: string; link?: boolean; exclude?: readonly string[] }): CopyFlags {
  const { chown, chmod } = given;
  return { ...(chown && { chown }), ...(chmod && { chmod }), link: given.link ?? false, exclude: given.exclude ?? [] };
}

function sourcesOf(given: Given, name: 'ADD' | 'COPY') {
  const words = jsonList(given.rest) ?? plainWords(given.rest);
  const target = words.at(-1);
  if (words.length < 2 || target === undefined) {
    throw fault(
      `${name} requires at least two arguments, but only one was provided. Destination could not be determined`,
    );
  }
  if (heredocOf(target)) throw fault(`${name} cannot accept a heredoc as a destination`);
  const sources: string[] = [];
  const inline: Inline[] = [];
  for (const word of words.slice(0, -1)) {
    const announced = heredocOf(word);
    const document = announced && given.heredocs.find((one) => one.name === announced.name);
    if (document) inline.push({ name: document.name, content: contentOf(document), expand: document.expand });
    else sources.push(word);
  }
  return { sources, inline, target };
}
