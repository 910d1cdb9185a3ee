import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { BuildContext, BuildOrder, Builds } from '@cleat/engine/build/service';
import type { definition } from '@cleat/protocol/buildkit/ops';
import { invalidParameter, notFound, notImplemented } from '@cleat/protocol/errors';
import type { MessageOf } from '@cleat/protocol/grpc/message';
import type { Logger } from '@cleat/protocol/log';
import type { Job, Result } from '../control/job.js';
import { clientStore } from '../session/content.js';
import { credentials, hasAgent, secret } from '../session/services.js';
import { forwardAgent } from '../session/ssh.js';
import {
  type Attributes,
  type CacheEntry,
  cacheTargets,
  namedSources,
  type Settings,
  settingsOf,
} from './attributes.js';
import { ignorePatterns, needsOf } from './dockerfile-text.js';
import { buildError } from './failure.js';
import { BuildFiles, type FileServices } from './files.js';
import { answerQuestion, lintQuestion } from './questions.js';
import { imageOf } from './references.js';

export interface FrontEndServices extends FileServices {
  readonly builds: FileServices['builds'] & Pick<Builds, 'ask' | 'build'>;
  readonly log: Logger;
}

export interface FrontEndRequest {
  readonly frontend: string;
  readonly attributes: Attributes;
  readonly inputs: ReadonlyMap<string, Partial<MessageOf<typeof definition>> | undefined>;
  readonly entitlements: readonly string[];
  readonly cacheExports: readonly CacheEntry[];
  /** The context, where it comes with the request. */
  readonly context?: ((signal: AbortSignal) => Promise<BuildContext>) | undefined;
}

/** Front ends that are images; ours speaks the same language. */
const dockerfileImages = /^(docker\.io\/)?docker\/dockerfile(-upstream)?([:@].*)?$/;

/** Builds a Dockerfile, or answers a question about one. @throws StatusError with the place in the Dockerfile */
export async function solveDockerfile(services: FrontEndServices, job: Job, request: FrontEndRequest): Promise<Result> {
  checkFrontEnd(request);
  const { attributes } = request;
  const session = await job.session();
  await using files = new BuildFiles(services, session, job.progress, job.signal);
  const settings = settingsOf(attributes, request.entitlements);
  const name = settings.DockerfileName ?? 'Dockerfile';
  if (attributes.get('contextsubdir'))
    throw notImplemented('contextsubdir is not served: name the directory in the URL, as …#ref:directory');
  const remote = await loadRemote(files, request);
  const source = await loadDockerfile(files, name, attributes, remote);
  checkSyntax(source.text, attributes);
  const question = attributes.get('requestid');
  if (question) return await ask(services, files, question, { settings, source, remote, attributes });
  const ignored = remote ? source.ignore : (source.ignore ?? (await loadIgnored(files, attributes)));
  const context = remote ?? (await loadContext(files, ignored ?? [], attributes));
  const further = await loadNamed(files, request);
  const scratch = files.keep(await services.builds.contextFromDockerfile(Buffer.from(source.text)));
  const CacheTo = request.cacheExports.length > 0 ? cacheTargets(request.cacheExports) : undefined;
  const order: BuildOrder = {
    ...settings,
    ...(await clientsOwn(services, files, scratch, source.text, { ...settings, CacheTo }, further)),
    Context: context.directory,
    Dockerfile: scratch.dockerfile ?? (await scratch.beside('Dockerfile', Buffer.from(source.text))),
    Contexts: Object.keys(further).length > 0 ? further : undefined,
    CacheTo,
    Ignore: ignored && ignored.length > 0 ? [...ignored] : undefined,
    clientStore: (directory) => clientStore(session, directory),
    tags: job.tags ?? [],
    ...(job.tags === undefined && { hidden: { until: job.over } }),
  };
  job.progress.definition = { ...job.progress.definition, text: source.text };
  job.progress.isSingleStage = isSingleStage(source.text);
  try {
    const { image, caches } = await services.builds.build(order, (line) => job.progress.line(line), job.signal);
    const written = caches.at(-1);
    return { image, metadata: new Map(), ...(written && { cacheManifest: JSON.stringify(written) }) };
  } catch (error) {
    throw buildError(error, { name, text: source.text });
  }
}

/** Nothing but one stage: neither another one, nor an image or context that files are taken from. */
function isSingleStage(text: string): boolean {
  return [...text.matchAll(/^[ \t]*FROM\s/gim)].length === 1 && !/--from=|--mount=\S*\bfrom=/.test(text);
}

/** Answers a question about the file, without its context. */
async function ask(
  { builds }: FrontEndServices,
  files: BuildFiles,
  Question: string,
  given: { settings: Settings; source: Source; remote: BuildContext | undefined; attributes: Attributes },
): Promise<Result> {
  const { settings, source, remote, attributes } = given;
  const text = Buffer.from(source.text);
  const scratch = files.keep(await builds.contextFromDockerfile(text));
  const { DockerfileName, Target, Platform, BuildArgs } = settings;
  const ignored = async () => source.ignore ?? (remote ? undefined : await loadIgnored(files, attributes));
  return await answerQuestion(
    builds,
    {
      ...{ Question, DockerfileName, Target, Platform, BuildArgs },
      Dockerfile: scratch.dockerfile ?? (await scratch.beside('Dockerfile', text)),
      Contexts: namedSources(attributes).map(({ name }) => name),
      Ignore: Question === lintQuestion ? [...((await ignored()) ?? [])] : undefined,
    },
    files.signal,
  );
}

function checkFrontEnd({ frontend, attributes }: FrontEndRequest): void {
  if (frontend === 'dockerfile.v0') return;
  const source = attributes.get('source') ?? '';
  if (frontend !== 'gateway.v0')
    throw notImplemented(`the front end ${frontend} is not served: build a Dockerfile (dockerfile.v0)`);
  if (!dockerfileImages.test(source)) {
    throw notImplemented(
      `the front end ${source} is not run: this engine builds Dockerfiles by itself; for others use a builder of its own (docker buildx create)`,
    );
  }
}

/** `# syntax=` names an image that would be run to read the file; ours reads what docker/dockerfile does. */
function checkSyntax(text: string, attributes: Attributes): void {
  const directive = /^(?:\uFEFF)?(?:#[^\n]*\n)*?#\s*syntax\s*=\s*(\S+)/i.exec(text)?.[1];
  const image = attributes.get('build-arg:BUILDKIT_SYNTAX') || attributes.get('cmdline')?.split(' ')[0] || directive;
  if (image && !dockerfileImages.test(image)) {
    throw notImplemented(
      `the syntax ${image} is not run: this engine reads Dockerfiles by itself, as docker/dockerfile does`,
    );
  }
}

interface Source {
  readonly text: string;
  /** Patterns of `DOCKERFILE.dockerignore`, which comes before the context's own. */
  readonly ignore: readonly string[] | undefined;
}

function loadDockerfile(
  files: BuildFiles,
  name: string,
  attributes: Attributes,
  remote: BuildContext | undefined,
): Promise<Source> {
  const load = `[internal] load build definition from ${basename(name)}`;
  return files.progress.step(load, async (report, vertex) => {
    files.progress.definition = { vertex, name };
    if (remote && !attributes.has('dockerfilekey')) {
      // A copy that the engine has made, and bounded.
      const path = remote.dockerfile ?? (await remote.file(name));
      return { text: await readFile(path, 'utf8'), ignore: undefined };
    }
    const ignoreName = `${name}.dockerignore`;
    const local = attributes.get('dockerfilekey') ?? 'dockerfile';
    // Other engines, and file systems that do not care, take this spelling, too.
    const others = name === 'Dockerfile' ? ['dockerfile'] : [];
    const texts = await files.texts(local, [name, ignoreName, ...others], report);
    const text = texts.get(name) ?? texts.get(others[0] ?? name);
    if (text === undefined) throw notFound(`failed to read dockerfile: open ${name}: no such file or directory`);
    const ignore = texts.get(ignoreName);
    return { text, ignore: ignore === undefined ? undefined : ignorePatterns(ignore) };
  });
}

/** The context, where it is no directory of the client. */
async function loadRemote(
  files: BuildFiles,
  { attributes, context }: FrontEndRequest,
): Promise<BuildContext | undefined> {
  const url = attributes.get(attributes.get('contextkey') ?? 'context');
  if (!context && url === undefined) return undefined;
  return await files.progress.step('[internal] load remote build context', async () =>
    context ? files.keep(await context(files.signal)) : files.remote(url ?? ''),
  );
}

/** The lines of the context's `.dockerignore`. */
function loadIgnored(files: BuildFiles, attributes: Attributes): Promise<string[]> {
  const name = attributes.get('contextkey') ?? 'context';
  return files.progress.step('[internal] load .dockerignore', (report) => files.ignored(name, report));
}

async function loadContext(
  files: BuildFiles,
  exclude: readonly string[],
  attributes: Attributes,
): Promise<BuildContext> {
  const name = attributes.get('contextkey') ?? 'context';
  return files.progress.step('[internal] load build context', (report) => files.local({ name, exclude }, report));
}

/** `--build-context`. */
async function loadNamed(
  files: BuildFiles,
  { attributes, inputs }: FrontEndRequest,
): Promise<NonNullable<BuildOrder['Contexts']>> {
  const contexts: NonNullable<BuildOrder['Contexts']> = {};
  for (const { name, kind, value } of namedSources(attributes)) {
    if (kind === 'image') {
      contexts[name] = { Image: value };
    } else if (kind === 'input') {
      const image = imageOf(inputs.get(value));
      if (!image)
        throw invalidParameter(`invalid input ${value} for ${name}: only results of this engine's builds can be used`);
      contexts[name] = { Image: image };
    } else {
      const ignored =
        kind !== 'local'
          ? []
          : await files.progress.step(`[context ${name}] load .dockerignore`, (report) => files.ignored(value, report));
      const load = `[context ${name}] load from ${kind === 'local' ? 'client' : value}`;
      const { directory } = await files.progress.step(load, async (report) => {
        if (kind === 'remote') return files.remote(value);
        return files.local({ name: value, exclude: ignored }, report);
      });
      contexts[name] = { Directory: directory };
    }
  }
  return contexts;
}

/** Secrets, agents and credentials, in files and sockets of this build. */
async function clientsOwn(
  { log }: FrontEndServices,
  files: BuildFiles,
  scratch: BuildContext,
  text: string,
  { BuildArgs = {}, CacheFrom = [], CacheTo = [] }: Pick<BuildOrder, 'BuildArgs' | 'CacheFrom' | 'CacheTo'>,
  contexts: NonNullable<BuildOrder['Contexts']>,
): Promise<Pick<BuildOrder, 'Secrets' | 'SSH' | 'RegistryAuth'>> {
  const { session, signal } = files;
  const caches = [...CacheFrom, ...CacheTo].map((text) => /(?:^|,)ref=([^,]+)/.exec(text)?.[1] ?? text);
  const images = [...caches, ...Object.values(contexts).flatMap(({ Image }) => Image ?? [])];
  const needs = needsOf(text, BuildArgs, images);
  const Secrets: { ID: string; File: string }[] = [];
  for (const [index, ID] of needs.secrets.entries()) {
    const content = await secret(session, ID, { signal });
    if (content) Secrets.push({ ID, File: await scratch.beside(`secret-${index}`, content) });
  }
  const SSH: { ID: string; Socket: string }[] = [];
  for (const [index, ID] of needs.agents.entries()) {
    if (!(await hasAgent(session, ID, { signal }))) continue;
    const Socket = `${dirname(await scratch.beside('agents', new Uint8Array(0)))}/a${index}`;
    files.defer(await forwardAgent(session, ID, Socket, log));
    SSH.push({ ID, Socket });
  }
  const RegistryAuth: Record<string, Record<string, string>> = {};
  for (const host of needs.registries) {
    // Docker's own registry has a name of its own where its credentials are kept.
    const found = await credentials(session, host === 'docker.io' ? 'registry-1.docker.io' : host, { signal });
    if (found) RegistryAuth[host] = { ...found };
  }
  return {
    Secrets: Secrets.length > 0 ? Secrets : undefined,
    SSH: SSH.length > 0 ? SSH : undefined,
    RegistryAuth: Object.keys(RegistryAuth).length > 0 ? RegistryAuth : undefined,
  };
}
