import type { BaseFacts } from '../checks/all.js';
import { parsePlatform } from '../plan/platform.js';
import type { Plan } from '../plan/stages.js';
import type { BuildContext } from './context.js';
import { fullReference } from './shown-name.js';
import { StepView } from './step-view.js';

/** Tells of the images that a build begins with, as BuildKit's clients expect it. */
export async function tellBases({ lines, images }: Pick<BuildContext, 'lines' | 'images'>, plan: Plan): Promise<void> {
  const references = plan.needed.flatMap((index) => {
    const base = plan.stages[index]?.base;
    return base?.kind === 'image' ? [base.reference] : [];
  });
  const tell = async (reference: string): Promise<void> => {
    const name = `[internal] load metadata for ${fullReference(reference)}`;
    const vertex = new StepView(lines, { ID: `metadata:${reference}`, Name: name });
    await vertex.start();
    // An image that is missing is pulled by its FROM, which tells of a failure.
    await images.find(reference).catch(() => undefined);
    await vertex.done('');
  };
  await Promise.all([...new Set(references)].map(tell));
}

/** Facts of base images, which are brought here. */
export function basesOf(context: Pick<BuildContext, 'bases' | 'lines' | 'platform'>): BaseFacts {
  return async (reference, given) => {
    const name = `[internal] load metadata for ${fullReference(reference)}`;
    const vertex = new StepView(context.lines, { ID: `metadata:${reference}`, Name: name });
    await vertex.start();
    const platform = given === undefined ? context.platform : parsePlatform(given);
    const { config } = await context.bases.get(reference, platform, vertex);
    await vertex.done('');
    return { env: config.Env ?? [], hasShell: (config.Shell ?? []).length > 0 };
  };
}
