import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchEngine } from '../engines.js';
import { peers, type Row, stock } from '../row.js';
import { milliseconds, numbers, settled } from '../work.js';

const steps = 10;
const files = 10_000;
const image = 'bench-built';

/** buildx, where it is installed as Debian has it, or unpacked by `./check --setup`. */
const buildx = [
  '/usr/libexec/docker/cli-plugins/docker-buildx',
  '/usr/lib/docker/cli-plugins/docker-buildx',
  '/var/cache/cleat-newer-clients/root/usr/libexec/docker/cli-plugins/docker-buildx',
].find((path) => existsSync(path));

/** The contexts of an engine, and a configuration of the client that has buildx, or has it not. */
interface Place {
  directory: string;
  env: NodeJS.ProcessEnv;
}

const places = new Map<BenchEngine, Place>();

function makePlace(engine: BenchEngine, isBuildKit: boolean): string {
  const directory = mkdtempSync(join(tmpdir(), 'cleat-bench-build-'));
  mkdirSync(join(directory, 'client/cli-plugins'), { recursive: true });
  if (isBuildKit && buildx) symlinkSync(buildx, join(directory, 'client/cli-plugins/docker-buildx'));
  const env = { DOCKER_CONFIG: join(directory, 'client'), DOCKER_BUILDKIT: isBuildKit ? '1' : '0' };
  places.set(engine, { directory, env });
  return directory;
}

async function build(engine: BenchEngine, ...flags: string[]): Promise<number> {
  const { directory, env } = placeOf(engine);
  return await milliseconds(() => engine.dockerWith(env, 'build', ...flags, '-t', image, join(directory, 'context')));
}

function placeOf(engine: BenchEngine): Place {
  const place = places.get(engine);
  if (!place) throw new Error('the row was not prepared');
  return place;
}

async function finish(engine: BenchEngine): Promise<void> {
  const { directory } = placeOf(engine);
  places.delete(engine);
  await engine.docker('rmi', '-f', image);
  rmSync(directory, { recursive: true, force: true });
}

const prepareSteps = (isBuildKit: boolean) => async (engine: BenchEngine) => {
  const context = join(makePlace(engine, isBuildKit), 'context');
  mkdirSync(context);
  const lines = numbers(steps).map((step) => `RUN echo step ${step} >/step-${step}\n`);
  writeFileSync(join(context, 'Dockerfile'), `FROM busybox\n${lines.join('')}`);
  // The first build of either is nobody's everyday; and of the next one all is cached.
  await build(engine);
};

/** A hundred directories of small files, as a project has them. */
const prepareFiles = (isBuildKit: boolean) => async (engine: BenchEngine) => {
  const context = join(makePlace(engine, isBuildKit), 'context');
  for (const at of numbers(files)) {
    const directory = join(context, `d${at % 100}`);
    if (at < 100) mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, `f${at}`), `a line of file ${at}\n`.repeat(1 + (at % 50)));
  }
  writeFileSync(join(context, 'Dockerfile'), 'FROM busybox\nCOPY . /app\n');
  await build(engine);
};

/** The rows of one way to build; those of BuildKit where its client is here. */
function rowsOf(isBuildKit: boolean): Row[] {
  const how = isBuildKit ? 'BuildKit' : 'classic builder';
  const shared = { unit: 'ms', between: stock, beside: isBuildKit ? (['newer'] as const) : peers, finish } as const;
  return [
    {
      ...shared,
      name: `\`docker build\` of ${steps} RUN steps, nothing cached, ${how}`,
      atMost: 0.4,
      samples: 5,
      prepare: prepareSteps(isBuildKit),
      sample: (engine) => build(engine, '--no-cache'),
    },
    {
      ...shared,
      name: `the same, all cached, ${how}`,
      atMost: 1,
      samples: 15,
      prepare: prepareSteps(isBuildKit),
      sample: (engine) => build(engine),
    },
    {
      ...shared,
      name: `\`docker build\` with a context of ${files.toLocaleString('en')} small files, one changed, ${how}`,
      atMost: 0.8,
      samples: 5,
      prepare: prepareFiles(isBuildKit),
      async sample(engine) {
        appendFileSync(join(placeOf(engine).directory, 'context/d0/f0'), 'a line more\n');
        await settled(engine);
        return await build(engine);
      },
    },
  ];
}

/** Building, by either door. */
export const buildRows: readonly Row[] = [...rowsOf(false), ...(buildx ? rowsOf(true) : [])];
