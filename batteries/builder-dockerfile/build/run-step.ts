import { existsSync, writeFileSync } from 'node:fs';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { CleatError, messageOf } from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import type { LayerRecord } from '../api/images.js';
import { keyOf } from '../cache/store.js';
import { changesIn } from '../files/changes.js';
import { scan } from '../files/scan.js';
import { fault } from '../language/fault.js';
import { contentOf, heredocOf } from '../language/heredoc.js';
import type { RunStatement } from '../language/instruction.js';
import { type RunMount, readMount } from '../language/run-mounts.js';
import { isProxy, proxyVariables } from '../plan/arguments.js';
import { platformText, refuseForeign } from '../plan/platform.js';
import type { PlannedStage } from '../plan/stages.js';
import { containerOf, ownFiles, runToEnd } from '../run/container.js';
import { type ApiMount, cacheSpaceArgument, inSpace, mountAll, targetOf } from '../run/mounts.js';
import { removeStubs, stubsOf } from '../run/stubs.js';
import type { BuildContext, StageResults } from './context.js';
import { expandIn, inShell, note } from './metadata.js';
import { contextFiles, filesOf, treeOf } from './sources.js';
import type { State } from './state.js';
import type { Step } from './step.js';
import type { StepView } from './step-view.js';

/** Why a RUN has failed, with what its process said last of all. */
export class RunFailure extends CleatError {
  constructor(
    message: string,
    readonly code: number,
  ) {
    super('System', message);
  }
}

/** RUN: a container of the image so far, and a layer of what it has changed. */
export async function runStep(
  context: BuildContext,
  stages: StageResults,
  here: PlannedStage,
  state: State,
  instruction: RunStatement & { text: string },
  vertex: StepView,
): Promise<Step> {
  const token = context.dockerfile.directives.escape;
  const allowed = new Set(context.request.Allow ?? []);
  const refuse = (what: string, entitlement: string) =>
    fault(`${what} is not allowed: granting ${entitlement} requires --allow ${entitlement}`);
  if (instruction.network === 'host' && !allowed.has('network.host')) throw refuse('network host', 'network.host');
  const isInsecure = instruction.security === 'insecure';
  if (isInsecure && !allowed.has('security.insecure')) throw refuse('insecure execution', 'security.insecure');
  const { command, script } = commandOf(state, instruction);
  const workdir = state.config.WorkingDir ?? '/';
  const mounts = instruction.mounts
    .map((text) => readMount(text, (value) => expandIn(state, value, token)))
    .map((mount) => inSpace(mount, context.request.BuildArgs?.[cacheSpaceArgument], workdir));
  const network = instruction.network === 'default' ? context.request.Network || 'default' : instruction.network;
  note(state, `RUN ${told(state, command)} # buildkit`);
  const env = [...state.variables].map(([name, value]) => `${name}=${value}`);
  return {
    what: instruction.text,
    async prepare() {
      const described = await Promise.all(mounts.map((mount) => describedMount(context, stages, here, mount, vertex)));
      const { User: user = '' } = state.config;
      // The address of a proxy changes nothing that is built.
      const seen = env.filter((one) => !isProxy(one.slice(0, one.indexOf('='))));
      const facts = JSON.stringify({
        script,
        workdir,
        user,
        network,
        isInsecure,
        hosts: context.request.ExtraHosts ?? [],
      });
      return {
        keys: [keyOf('run', command, seen, facts, described, platformText(state.platform))],
        make: async (signal) =>
          await make(context, stages, here, state, {
            command,
            script,
            env,
            mounts,
            network,
            isInsecure,
            workdir,
            vertex,
            signal,
          }),
      };
    },
  };
}

interface Making {
  readonly command: readonly string[];
  readonly script: { readonly name: string; readonly content: string } | undefined;
  readonly env: readonly string[];
  readonly mounts: readonly RunMount[];
  readonly network: string;
  readonly isInsecure: boolean;
  readonly workdir: string;
  readonly vertex: StepView;
  readonly signal: AbortSignal;
}

async function make(context: BuildContext, stages: StageResults, here: PlannedStage, state: State, making: Making) {
  const { containers, request, workspace } = context;
  const { mounts, workdir, vertex, signal } = making;
  refuseForeign(state.platform);
  await using mounted = await mountAll(mounts, {
    workspace,
    caches: context.cacheMounts,
    request,
    workdir,
    signal,
    treeOf: async (from) =>
      await (from === undefined
        ? contextFiles(context)
        : await filesOf(context, stages, here, from, 'mount', vertex)
      ).tree(),
  });
  const image = await bare(context, state, signal);
  const proxies = Object.entries(proxyVariables(context.buildArgs)).map(([name, value]) => `${name}=${value}`);
  const container = await containers.create(
    containerOf(
      {
        build: request.ID,
        image,
        command: making.command,
        env: [...proxies, ...making.env, ...mounted.env],
        workdir,
        user: state.config.User ?? '',
        mounts: [...mounted.mounts, ...scriptMount(context, making)],
        network: making.network,
        isInsecure: making.isInsecure,
        platform: platformText(state.platform),
      },
      request,
    ),
    signal,
  );
  let hasFailed = false;
  let stays = request.KeepContainers ?? false;
  try {
    if (mounted.secrets.length > 0) await containers.hideVariables(container, mounted.secrets, signal);
    await vertex.runsIn(container);
    const end = await runToEnd(containers, container, vertex, signal);
    if (end.error !== '') throw new RunFailure(end.error, end.code);
    if (end.code !== 0) {
      throw new RunFailure(`The command '${making.command.join(' ')}' returned a non-zero code: ${end.code}`, end.code);
    }
    const targets = mounts.flatMap((mount, index) => targetOf(mount, workdir, index) ?? []);
    const below = targets.length > 0 ? (await treeOf(context, state.layers))?.root : undefined;
    return await layerOf(context, container, image, stubsOf(targets, below), signal);
  } catch (error) {
    hasFailed = true;
    stays = error instanceof RunFailure && (stays || (request.KeepFailed ?? false));
    throw error;
  } finally {
    if (!stays) {
      const removal = containers.remove(container).catch((error: unknown) => {
        context.log.warn(`a container of a build remains: ${messageOf(error)}`, { container });
      });
      // Its mounts are taken away next.
      if (mounts.length > 0 || making.script || hasFailed) await removal;
      else context.later(removal);
    }
  }
}

/** The layer of what was changed in a container that has ended. */
async function layerOf(
  { images, client }: BuildContext,
  container: string,
  image: string,
  stubs: readonly string[],
  signal: AbortSignal,
): Promise<{ record: LayerRecord; size: number }> {
  const upper = await ownFiles(client, container);
  if (upper === '' || !existsSync(upper)) {
    // A builder that does not see the engine's files has the engine read them.
    const record = await images.commit(container, signal);
    return { record, size: record.size };
  }
  removeStubs(upper, stubs);
  let size = 0;
  const counted = async function* () {
    for await (const chunk of changesIn(upper, signal)) {
      size += chunk.length;
      yield chunk;
    }
  };
  const record = await images.addLayer(image, owned(Readable.from(counted(), { objectMode: false })), signal);
  return { record, size };
}

/** The image's files without its configuration: volumes and variables of the image are not for RUN. */
async function bare(context: BuildContext, state: State, signal: AbortSignal): Promise<string> {
  if (state.layers.id !== '' && state.layers.id !== state.base) return state.layers.id;
  const composed = await context.images.compose(
    {
      parent: state.layers.id,
      base: '',
      config: {},
      history: [],
      created: '1970-01-01T00:00:00Z',
      platform: state.platform,
    },
    signal,
  );
  return composed.id;
}

/** A document as the whole command is run by the shell, or by what its first line names. */
function commandOf(state: State, instruction: RunStatement): Pick<Making, 'command' | 'script'> {
  const { command, heredocs } = instruction;
  if ('list' in command || heredocs.length === 0) return { command: inShell(state, command), script: undefined };
  const [first] = heredocs;
  if (first && heredocOf(command.text)) {
    const content = contentOf(first);
    if (content.startsWith('#!'))
      return { command: inShell(state, { text: `/dev/pipes/${first.name}` }), script: { name: first.name, content } };
    return { command: inShell(state, { text: content }), script: undefined };
  }
  // The shell knows documents itself.
  const text = command.text + heredocs.map(({ name, content }) => `\n${content}${name}`).join('');
  return { command: inShell(state, { text }), script: undefined };
}

function scriptMount({ workspace }: BuildContext, { script }: Making): ApiMount[] {
  if (!script) return [];
  const directory = workspace.fresh();
  writeFileSync(posix.join(directory, script.name), script.content, { mode: 0o755 });
  return [{ Type: 'bind', Source: workspace.view.seen(directory), Target: '/dev/pipes', ReadOnly: true }];
}

/** The command with the arguments that it sees, as Docker's history has it. */
function told(state: State, command: readonly string[]): string {
  const args = [...state.args]
    .filter(([name]) => !isProxy(name))
    .map(([name, value]) => `${name}=${state.variables.get(name) ?? value ?? ''}`);
  return [...(args.length > 0 ? [`|${args.length}`, ...args] : []), ...command].join(' ');
}

/** A mount as far as it decides what a RUN makes. */
async function describedMount(
  context: BuildContext,
  stages: StageResults,
  here: PlannedStage,
  mount: RunMount,
  vertex: StepView,
): Promise<string> {
  const facts = JSON.stringify(mount);
  if (mount.type !== 'bind') return facts;
  const files =
    mount.from === undefined
      ? contextFiles(context)
      : await filesOf(context, stages, here, mount.from, 'mount', vertex);
  if (files.identity) return keyOf(facts, files.identity);
  const tree = await files.tree();
  if (!tree) return facts;
  const path = tree.root.resolve(posix.join('/', mount.source ?? ''));
  const found = await scan(tree.root, path, { signal: context.signal });
  return keyOf(facts, JSON.stringify(found.map((one) => [one.path, one.type, one.mode, one.linkName, one.digest])));
}
