import { isClass } from '@cleat/protocol/errors';
import type { LayerRecord } from '../api/images.js';
import type { Source } from '../files/select.js';
import { fault } from '../language/fault.js';
import { type Origin, originOf, type PlannedStage } from '../plan/stages.js';
import { type BuildContext, type StageResults, Vanished } from './context.js';
import type { StepView } from './step-view.js';
import type { Tree } from './workspace.js';

/** Files to copy or mount from. */
export interface Files {
  /** Looked for when somebody needs it: a stage whose result is known may have no files here. */
  tree(): Promise<Tree | undefined>;
  readonly keepsOwners: boolean;
  /** Their layers, where they are those of a stage or an image: then nobody need look at them. */
  readonly identity?: readonly string[];
}

/** The context's own files. */
export function contextFiles({ workspace, request }: BuildContext): Files {
  return { tree: async () => workspace.plain(request.Context), keepsOwners: false };
}

/** Files of what `--from` names. @throws DockerfileFault, and whatever building that stage throws */
export async function filesOf(
  context: BuildContext,
  stages: StageResults,
  here: PlannedStage,
  from: string,
  verb: 'copy' | 'mount',
  vertex: StepView,
): Promise<Files> {
  const origin = originOf(context.plan.stages, from, here, context.contexts, verb);
  return await filesAt(context, stages, origin, vertex);
}

async function filesAt(context: BuildContext, stages: StageResults, origin: Origin, vertex: StepView): Promise<Files> {
  if (origin.kind === 'scratch') return { tree: async () => undefined, keepsOwners: true, identity: [] };
  if (origin.kind === 'stage') {
    const { layers } = await stages.result(origin.index);
    return { tree: () => treeOf(context, layers), keepsOwners: true, identity: layers.layers };
  }
  if (origin.kind === 'image') return await imageFiles(context, origin.reference, vertex);
  const named = context.request.Contexts?.[origin.name];
  const { Directory = '' } = named ?? {};
  if (Directory !== '') return { tree: async () => context.workspace.plain(Directory), keepsOwners: false };
  if (named?.Image) return await imageFiles(context, named.Image, vertex);
  throw fault(`the build context ${origin.name} has neither a directory nor an image`);
}

async function imageFiles(context: BuildContext, reference: string, vertex: StepView): Promise<Files> {
  const image = await context.bases.get(reference, context.platform, vertex);
  return { tree: async () => context.workspace.tree(image.directories), keepsOwners: true, identity: image.layers };
}

/** The files of a state, on this host. @throws Vanished, Missing */
export async function treeOf(
  { images, workspace, imports, signal }: BuildContext,
  given: LayerRecord,
): Promise<Tree | undefined> {
  if (given.layers.length === 0) return undefined;
  const layers = await imports.real(given, signal);
  try {
    const image = await images.find(layers.id);
    if (image) return workspace.tree(image.directories);
  } catch (error) {
    if (!isClass(error, 'DataLoss')) throw error;
  }
  throw new Vanished(layers.id);
}

/** As a source of COPY. @throws DockerfileFault for an image without files */
export async function asSource(files: Files, what: string): Promise<Source> {
  const { keepsOwners } = files;
  const tree = await files.tree();
  if (!tree) throw fault(`COPY failed: ${what} has no files`);
  return { root: tree.root, keepsOwners };
}
