import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Semaphore } from '@cleat/protocol/async/semaphore';
import { messageOf } from '@cleat/protocol/errors';
import type { BuildLine, BuildRequest } from '@cleat/protocol/kinds/builder';
import type { Logger } from '@cleat/protocol/log';
import { Client } from '../api/client.js';
import { Containers } from '../api/containers.js';
import { Images } from '../api/images.js';
import { exportAll, importAll } from '../cache/exchange.js';
import { Imports, Missing } from '../cache/imports.js';
import { CacheSources } from '../cache/sources.js';
import type { Cache } from '../cache/store.js';
import { planOf } from '../checks/all.js';
import { readDockerfile } from '../language/dockerfile.js';
import { DockerfileFault, fault } from '../language/fault.js';
import { unusedArguments } from '../plan/arguments.js';
import { parsePlatform } from '../plan/platform.js';
import type { CacheMounts } from '../run/cache-mounts.js';
import type { ContainerView } from '../run/container-view.js';
import { Bases } from './base.js';
import { Checks } from './checks.js';
import { type BuildContext, StepFailure, Vanished } from './context.js';
import { finished } from './image.js';
import type { Lines } from './lines.js';
import { basesOf, tellBases } from './metadata-steps.js';
import { RunFailure } from './run-step.js';
import { Stages } from './stages.js';
import { Workspace } from './workspace.js';

/** Shared by all builds. */
export interface Shared {
  readonly stateDir: string;
  readonly cache: Cache;
  readonly view: ContainerView;
  readonly cacheMounts: CacheMounts;
  readonly slots: Semaphore;
  readonly log: Logger;
}

/** How often a build begins anew because records of the cache had gone. */
const maxAttempts = 5;

/** Builds, and says everything in lines, the result or the failure last. Nothing of it is left behind but the cache. */
export async function build(shared: Shared, request: BuildRequest, lines: Lines, signal: AbortSignal): Promise<void> {
  try {
    const image = await withContext(shared, request, lines, signal);
    await lines.say({ Result: { Image: image } });
  } catch (error) {
    await lines.say({ Error: failureOf(error) });
  } finally {
    lines.end();
  }
}

function failureOf(error: unknown): NonNullable<BuildLine['Error']> {
  const cause = error instanceof StepFailure ? error.cause : error;
  const line = cause instanceof DockerfileFault ? cause.line : error instanceof StepFailure ? error.line : undefined;
  return {
    Message: messageOf(cause),
    ...(cause instanceof RunFailure && { Code: cause.code }),
    ...(error instanceof StepFailure && { Vertex: error.vertex }),
    ...(line !== undefined && line > 0 && { Line: line }),
  };
}

async function withContext(shared: Shared, request: BuildRequest, lines: Lines, signal: AbortSignal): Promise<string> {
  const { cache, cacheMounts, slots, log } = shared;
  const holds: Disposable[] = [];
  const pending: Promise<void>[] = [];
  using client = new Client(request.Engine);
  const images = new Images(client);
  try {
    await using workspace = Workspace.make(join(shared.stateDir, 'builds', nameOf(request.ID)), shared.view);
    const platform = request.Platform ? parsePlatform(request.Platform) : undefined;
    const dockerfile = readDockerfile(await readFile(request.Dockerfile, 'utf8'));
    const buildArgs = request.BuildArgs ?? {};
    const contexts = new Set(Object.keys(request.Contexts ?? {}));
    const { automatic, globals, plan } = planOf(dockerfile, { ...request, contexts });
    const epoch = epochOf(buildArgs.SOURCE_DATE_EPOCH ?? globals.get('SOURCE_DATE_EPOCH'));
    // The classic builder knows no checks, but for this.
    for (const { line, text, url } of request.StepImages ? dockerfile.warnings : []) {
      await lines.say({ Warning: { Short: text, Line: line, ...(url && { URL: url }) } });
    }
    await warnOfUnused(dockerfile, buildArgs, lines);
    let checks: Checks | undefined;
    if (!request.StepImages) {
      await tellBases({ lines, images }, plan);
      const bases = basesOf({ lines, platform, bases: new Bases(images, request, signal) });
      checks = await Checks.begin(dockerfile, { ...request, contexts, automatic, globals }, lines, bases);
    }
    const sources = request.CacheFromOnly
      ? await CacheSources.of(images, cache, request.CacheFrom ?? [], platform)
      : undefined;
    const hold = (one: Disposable) => holds.push(one);
    let hasImported = false;
    const imports = new Imports(request.ID, images, cache, hold);
    for (let attempt = 1; ; attempt++) {
      const stop = new AbortController();
      const all = AbortSignal.any([signal, stop.signal]);
      const context: BuildContext = {
        ...{ request, log, client, images, workspace, cache, imports, checks, cacheMounts, lines, dockerfile, plan },
        globals,
        ...{ buildArgs, contexts, platform, epoch, slots, signal: all },
        containers: new Containers(client),
        bases: new Bases(images, request, all),
        sources,
        trail: [],
        holds: { use: hold },
        later: (work) => pending.push(work),
      };
      const stages = new Stages(context);
      try {
        await stages.tellGlobals();
        if (!sources && !hasImported) await importAll(context);
        hasImported = true;
        const image = await targetImage(context, stages);
        await exportAll(context, await stages.result(plan.target));
        return image;
      } catch (error) {
        stop.abort();
        // Each time something is forgotten, so that this ends.
        if (error instanceof Missing) {
          log.info('a layer of an imported cache cannot be had', { error: messageOf(error.cause) });
          imports.giveUp(error);
          attempt--;
          continue;
        }
        if (!(error instanceof Vanished) || attempt === maxAttempts) throw error;
        cache.dropImage(error.image);
      } finally {
        await stages.settled();
      }
    }
  } finally {
    await Promise.allSettled(pending);
    for (const hold of holds) hold[Symbol.dispose]();
  }
}

/** The image that the build is for. @throws DockerfileFault where there is none */
async function targetImage(context: BuildContext, stages: Stages): Promise<string> {
  const state = await stages.result(context.plan.target);
  if (!context.request.StepImages) {
    const image = await finished(context, state);
    await stages.tellLabels(image);
    return image;
  }
  await stages.labelSteps(state);
  if (state.image === '') throw fault('No image was generated. Is your Dockerfile empty?');
  return state.image;
}

async function warnOfUnused(
  dockerfile: ReturnType<typeof readDockerfile>,
  buildArgs: Readonly<Record<string, string>>,
  lines: Lines,
): Promise<void> {
  const statements = dockerfile.stages.flatMap(({ instructions }) => instructions);
  const declared = new Set(
    [...dockerfile.globals, ...statements.filter((one) => one.name === 'ARG')].flatMap(({ args }) =>
      args.map(({ key }) => key),
    ),
  );
  const unused = unusedArguments(buildArgs, declared);
  if (unused.length === 0) return;
  await lines.say({ Warning: { Short: `One or more build-args [${unused.join(' ')}] were not consumed` } });
}

/** @throws DockerfileFault */
function epochOf(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined;
  if (!/^\d{1,12}$/.test(text))
    throw fault(`invalid SOURCE_DATE_EPOCH: ${JSON.stringify(text)}: write seconds since 1970`);
  return Number(text);
}

/** A name for a directory, whatever the ID is. */
function nameOf(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, 16);
}
