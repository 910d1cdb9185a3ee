import { readFile } from 'node:fs/promises';
import { notImplemented } from '@cleat/protocol/errors';
import type { Question } from '@cleat/protocol/kinds/builder';
import { Client } from '../api/client.js';
import { Images } from '../api/images.js';
import type { BaseFacts } from '../checks/all.js';
import { readDockerfile } from '../language/dockerfile.js';
import { parsePlatform } from '../plan/platform.js';
import { lint } from './lint.js';
import { outline } from './outline.js';
import { table } from './tables.js';
import { targets } from './targets.js';

/** Questions by their names, as BuildKit's clients ask them (moby/buildkit `frontend/subrequests`). */
const known = [
  { name: 'frontend.outline', description: 'The arguments, secrets and agents that a target takes', status: false },
  { name: 'frontend.targets', description: 'The stages that can be built', status: false },
  { name: 'frontend.lint', description: 'What checks find in the file', status: true },
  { name: 'frontend.subrequests.describe', description: 'The questions that are answered', status: false },
] as const;

const version = '1.0.0';

/** @throws NotImplemented for another question, DockerfileFault, InvalidParameter */
export async function answer(question: Question): Promise<{ Metadata: Record<string, string> }> {
  const file = await readFile(question.Dockerfile, 'utf8');
  const scope = { ...question, contexts: new Set(question.Contexts ?? []) };
  switch (question.Question) {
    case 'frontend.lint': {
      using client = new Client(question.Engine ?? '');
      const name = question.DockerfileName ?? 'Dockerfile';
      const { json, text, status } = await lint(file, name, scope, baseFacts(question, new Images(client)));
      return metadata(json, text, { 'result.statuscode': `${status}` });
    }
    case 'frontend.outline': {
      const { json, text } = outline(readDockerfile(file), file, scope);
      return metadata(json, text);
    }
    case 'frontend.targets': {
      const { json, text } = targets(readDockerfile(file), file);
      return metadata(json, text);
    }
    case 'frontend.subrequests.describe':
      return describe();
    default:
      throw notImplemented(
        `this engine's builder answers ${known.map(({ name }) => name.replace('frontend.', '')).join(', ')}`,
      );
  }
}

/** Images that are here; nothing is pulled for a question. */
function baseFacts({ Engine = '', Platform }: Question, images: Images): BaseFacts {
  return async (reference, given) => {
    const platform = given ?? Platform;
    if (Engine === '') return undefined;
    const image = await images.find(reference, platform ? parsePlatform(platform) : undefined);
    return image && { env: image.config.Env ?? [], hasShell: (image.config.Shell ?? []).length > 0 };
  };
}

function describe(): { Metadata: Record<string, string> } {
  const all = known.map(({ name, description, status }) => ({
    name,
    version,
    type: 'rpc',
    description,
    ...(name === 'frontend.outline' && { opts: [{ name: 'target', description: 'The stage' }] }),
    metadata: [{ name: 'result.json' }, { name: 'result.txt' }, ...(status ? [{ name: 'result.statuscode' }] : [])],
  }));
  const rows = all.map(({ name, description }) => [name.replace(/^frontend\./, ''), version, description]);
  return metadata(all, table([['NAME', 'VERSION', 'DESCRIPTION'], ...rows], 1));
}

function metadata(json: object, text: string, more: Record<string, string> = {}): { Metadata: Record<string, string> } {
  return { Metadata: { 'result.json': JSON.stringify(json, undefined, 2), 'result.txt': text, version, ...more } };
}
