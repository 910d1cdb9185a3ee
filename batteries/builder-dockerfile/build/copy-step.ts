import { createReadStream } from 'node:fs';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { owned } from '@cleat/protocol/guard';
import { keyOf } from '../cache/store.js';
import { isArchive } from '../files/archive.js';
import { type CopyOptions, copied, type Item } from '../files/copy.js';
import { download, isUrl } from '../files/download.js';
import { fetchRepository, gitSource, onlyDirectory } from '../files/git.js';
import { modeChange } from '../files/mode.js';
import { ownerOf } from '../files/owner.js';
import { read } from '../files/scan.js';
import { type Picked, pick } from '../files/select.js';
import { expandWord } from '../language/expand.js';
import { fault } from '../language/fault.js';
import type { Instruction } from '../language/instruction.js';
import type { PlannedStage } from '../plan/stages.js';
import type { BuildContext, StageResults } from './context.js';
import { expandIn, note } from './metadata.js';
import { asSource, contextFiles, type Files, filesOf, treeOf } from './sources.js';
import type { State } from './state.js';
import type { Step } from './step.js';
import type { StepView } from './step-view.js';

export type CopyInstruction = Extract<Instruction, { name: 'COPY' | 'ADD' }>;

/** COPY and ADD: a layer that is made of files without running anything. */
export async function copyStep(
  context: BuildContext,
  stages: StageResults,
  here: PlannedStage,
  state: State,
  given: CopyInstruction,
  vertex: StepView,
): Promise<Step> {
  const instruction = expanded(context, state, given);
  const { name, chown, chmod, exclude, link } = instruction;
  const target = targetOf(state, instruction.target);
  const mode = chmod === undefined ? undefined : modeChange(chmod);
  const from = name === 'COPY' ? instruction.from : undefined;
  const files = from === undefined ? contextFiles(context) : await filesOf(context, stages, here, from, 'copy', vertex);
  note(state, historyOf(instruction));
  const parents = name === 'COPY' && instruction.parents;
  const said = [name, target, chown ?? '', chmod ?? '', JSON.stringify({ exclude, parents, link })];
  // Where the files come from is known by its name, what they are need not be looked at.
  const quick = files.identity &&
    instruction.inline.length === 0 && [keyOf('copy from', files.identity, instruction.sources, said)];
  return {
    what: given.text,
    ...(quick && { quickKeys: quick }),
    async prepare() {
      const { items, digests } = await itemsOf(context, instruction, files, vertex);
      return {
        keys: [keyOf('copy', said, digests)],
        async make(signal) {
          const below = (await treeOf(context, state.layers))?.root;
          const owner = chown === undefined ? undefined : ownerOf(chown, below);
          const now = context.epoch ?? Math.floor(Date.now() / 1000);
          const options: CopyOptions = {
            target,
            ...(owner && { owner }),
            ...(mode && { mode: mode.change }),
            directoryMode: mode?.octal ?? 0o755,
            time: now,
            ...(context.epoch !== undefined && { latest: context.epoch }),
            signal,
          };
          let size = 0;
          const counted = async function* () {
            for await (const chunk of batched(copied(items, below, options))) {
              size += chunk.length;
              yield chunk;
            }
          };
          const record = await context.images.addLayer(
            state.layers.id,
            owned(Readable.from(counted(), { objectMode: false })),
            signal,
          );
          return { record, size };
        },
      };
    },
  };
}

/** Small files make small pieces: a socket takes few large ones more quickly. */
async function* batched(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of source) {
    pieces.push(piece);
    size += piece.length;
    if (size < 256 * 1024) continue;
    yield Buffer.concat(pieces);
    pieces = [];
    size = 0;
  }
  if (size > 0) yield Buffer.concat(pieces);
}

function expanded(context: BuildContext, state: State, instruction: CopyInstruction): CopyInstruction {
  const token = context.dockerfile.directives.escape;
  const expand = (text: string) => expandIn(state, text, token);
  const { chown, chmod } = instruction;
  return {
    ...instruction,
    ...(chown !== undefined && { chown: expand(chown) }),
    ...(chmod !== undefined && { chmod: expand(chmod) }),
    ...(instruction.name === 'ADD' && instruction.checksum !== undefined && { checksum: expand(instruction.checksum) }),
    sources: instruction.sources.map(expand),
    target: expand(instruction.target),
    inline: instruction.inline.map((one) => {
      if (!one.expand) return one;
      // In a document a backslash escapes, and quotes mean nothing.
      const content = expandWord(one.content, (key) => state.variables.get(key), { noQuotes: true });
      return { ...one, content };
    }),
  };
}

/** Absolute, with the slash at its end that says "a directory". */
function targetOf(state: State, target: string): string {
  const path = posix.resolve('/', state.config.WorkingDir ?? '/', target);
  return /(^|\/)\.?$/.test(target) && path !== '/' ? `${path}/` : path;
}

function historyOf(instruction: CopyInstruction): string {
  const flags = [
    ...(instruction.name === 'COPY' && instruction.parents ? ['--parents'] : []),
    ...(instruction.chown ? [`--chown=${instruction.chown}`] : []),
    ...(instruction.chmod ? [`--chmod=${instruction.chmod}`] : []),
  ];
  const inline = instruction.inline.map((one) => `<<${one.name}`);
  return [instruction.name, ...flags, ...instruction.sources, ...inline, instruction.target, '# buildkit'].join(' ');
}

/** Everything to copy, and a digest of each. */
async function itemsOf(
  context: BuildContext,
  instruction: CopyInstruction,
  files: Files,
  vertex: StepView,
): Promise<{ items: Item[]; digests: string[] }> {
  const items: Item[] = [];
  const digests: string[] = [];
  const add = (item: Item, digest: string) => {
    items.push(item);
    digests.push(digest);
  };
  const isAdd = instruction.name === 'ADD';
  const { checksum, unpack, keepGitDir } = isAdd ? instruction : {};
  const isRemote = (source: string) => isAdd && (gitSource(source) !== undefined || isUrl(source));
  if (checksum !== undefined) {
    if (instruction.sources.length !== 1) throw fault("checksum can't be specified for multiple sources");
    if (!instruction.sources.every(isRemote)) throw fault('checksum requires HTTP(S) or Git sources');
  }
  for (const source of instruction.sources) {
    if (!isAdd && gitSource(source)) throw fault("source can't be a git ref for COPY");
    if (!isAdd && isUrl(source)) throw fault("source can't be a URL for COPY");
    if (isRemote(source)) {
      const remote = {
        ...(checksum !== undefined && { checksum }),
        unpack: unpack ?? false,
        keepGitDir: keepGitDir ?? false,
      };
      await addRemote(context, source, remote, instruction.exclude, vertex, add);
      continue;
    }
    const parents = instruction.name === 'COPY' && instruction.parents;
    const { signal } = context;
    for (const picked of await pick(await asSource(files, source), source, {
      exclude: instruction.exclude,
      parents,
      signal,
    })) {
      const archive = (unpack ?? isAdd) ? await archiveIn(picked) : undefined;
      add(archive ?? { kind: 'tree', picked }, digestOf(picked, archive !== undefined));
    }
  }
  for (const { name, content } of instruction.inline) {
    const bytes = Buffer.from(content);
    const mtime = context.epoch ?? Math.floor(Date.now() / 1000);
    const file = { kind: 'file', name, mode: 0o644, mtime, size: bytes.length } as const;
    add({ ...file, open: () => owned(Readable.from([bytes])) }, keyOf('inline', name, content));
  }
  return { items, digests };
}

async function addRemote(
  context: BuildContext,
  source: string,
  options: { checksum?: string; unpack: boolean; keepGitDir: boolean },
  exclude: readonly string[],
  vertex: StepView,
  add: (item: Item, digest: string) => void,
): Promise<void> {
  const { workspace, signal, request } = context;
  const repository = gitSource(source);
  if (repository) {
    const directory = workspace.path();
    const sshSocket = request.SSH?.find(({ ID }) => ID === 'default')?.Socket;
    const commit = await fetchRepository(repository, directory, {
      ...options,
      ...(sshSocket && { sshSocket }),
      signal,
    });
    const { root } = workspace.plain(await onlyDirectory(directory, repository.directory));
    const [picked] = await pick({ root, keepsOwners: false }, '/', { exclude, parents: false, signal });
    if (picked)
      add({ kind: 'tree', picked }, keyOf('git', commit, repository.directory, `${options.keepGitDir}`, exclude));
    return;
  }
  const started = new Date().toISOString();
  const got = await download(context.client, source, workspace.path(), {
    ...(options.checksum !== undefined && { checksum: options.checksum }),
    signal,
    onProgress: async (current, total) => {
      if (total === undefined || current < total) return;
      await vertex.status(source, { current, total, started, isDone: true });
    },
  });
  const open = () => owned(createReadStream(got.file)) as AsyncIterable<Buffer>;
  if (options.unpack && (await isArchive(open()))) add({ kind: 'archive', open }, keyOf('unpacked', got.digest));
  else {
    const { name, mtime, size } = got;
    add({ kind: 'file', name, mode: 0o600, mtime, size, open }, keyOf('file', name, got.digest));
  }
}

/** A file that is a tar is unpacked by ADD. */
async function archiveIn({ found, source, path }: Picked): Promise<Item | undefined> {
  const [only] = found;
  if (only?.type !== 'file') return undefined;
  const open = () => (only.content ? owned(Readable.from([only.content])) : read(source.root, path, only.size));
  return (await isArchive(open())) ? { kind: 'archive', open } : undefined;
}

/** Digest of everything but times: a checkout gives new ones each time. */
function digestOf({ found, name, source }: Picked, isUnpacked: boolean): string {
  const facts = found.map((one) => {
    const { path, type, mode, linkName, digest, major, minor, isWanted } = one;
    const owner = source.keepsOwners ? [one.uid, one.gid] : [];
    const attributes = [...one.xattrs].map(([key, value]) => [key, value.toString('base64')]);
    return [
      path,
      type,
      path === '' && type === 'directory' ? 0 : mode,
      linkName,
      digest,
      major,
      minor,
      isWanted,
      owner,
      attributes,
    ];
  });
  const isFile = found[0]?.type !== 'directory';
  return keyOf('files', isFile ? name : '', `${isUnpacked}`, JSON.stringify(facts));
}
