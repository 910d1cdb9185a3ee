import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { busyboxTar } from './support/busybox.js';
import { type CommandResult, type Engine, startEngine } from './support/engine.js';
import { ScriptedVolumePlugin } from './support/scripted-volume.js';
import { StockDockerd, stockDockerdInstalled } from './support/stock-dockerd.js';
import { differences } from './support/volume-differences.js';
import { type Story, stories } from './support/volume-stories.js';
import { type RawStep, type Transcript, transcript } from './support/volume-transcript.js';

/** Volume plugins are asked as a stock dockerd asks, and users are told the same. */

describe.skipIf(!stockDockerdInstalled)('volume plugins are asked as a stock dockerd asks', () => {
  let both: Both;
  let end = () => {};
  let whole: Promise<void> | undefined;
  beforeAll(async () => {
    both = await new Promise<Both>((resolve, reject) => {
      whole = onBoth((started) => {
        resolve(started);
        return new Promise((done) => {
          end = done;
        });
      });
      whole.catch(reject);
    });
  });
  afterAll(async () => {
    end();
    await whole;
  });
  afterEach(() => both.clear());

  for (const [title, story] of Object.entries(stories)) {
    test(title, async () => {
      const { docker: theirs, cleat: ours } = await both.tell(story);
      expect({ steps: ours.steps, held: ours.held }).toEqual({ steps: theirs.steps, held: theirs.held });
      // Not everything that Docker asks is asked here (Path); what is, is asked in the same way.
      for (const [method, shapes] of Object.entries(ours.shapes)) {
        expect({ method, shapes }).toEqual({ method, shapes: theirs.shapes[method] });
      }
      // Docker does not say what the body is; many servers read none of which they are not told that it is JSON.
      expect(theirs.contentTypes).toEqual([undefined]);
      expect(ours.contentTypes).toEqual(['application/vnd.docker.plugins.v1.2+json']);
    });
  }

  test('except where Cleat is better', async () => {
    for (const { title, story, docker, cleat } of differences) {
      const lines = ({ steps }: Transcript) =>
        steps.flatMap(({ calls, stdout, stderr }) => [...calls, ...`${stdout}${stderr}`.split('\n').filter(Boolean)]);
      const told = await both.tell(story);
      expect({ title, docker: lines(told.docker) }).toEqual({ title, docker });
      expect({ title, cleat: lines(told.cleat) }).toEqual({ title, cleat });
      await both.clear();
    }
  });
});

/** A Cleat and a stock dockerd with the same images, each with a plugin of its own under the same name. */
interface Both {
  /** To both at once. */
  tell(story: Story): Promise<Record<'docker' | 'cleat', Transcript>>;
  /** Removes what the stories so far have left. */
  clear(): Promise<void>;
}

interface Side {
  readonly host: string;
  readonly plugin: ScriptedVolumePlugin;
}

async function onBoth(work: (both: Both) => Promise<void>): Promise<void> {
  const scratch = await mkdtemp('/tmp/cleat-volwire-');
  const driver = basename(scratch).toLowerCase();
  const plugins = join(scratch, 'plugins');
  await mkdir(plugins);
  try {
    await using theirs = new ScriptedVolumePlugin(join(plugins, `${driver}.sock`), join(scratch, 'their-volumes'));
    await using ours = new ScriptedVolumePlugin(join(scratch, 'ours.sock'), join(scratch, 'our-volumes'));
    await using engine = await startEngine();
    await using stock = await StockDockerd.start([], plugins);
    await writeFile(join(engine.pluginDirectory, `${driver}.spec`), `unix://${ours.socket}\n`);
    await engine.dockerAt(stock.host, 'import', '-', 'busybox', { input: await busyboxTar() });
    const sides = {
      docker: { host: stock.host, plugin: theirs },
      cleat: { host: `unix://${engine.socket}`, plugin: ours },
    };
    const onEach = (act: (side: Side) => Promise<void>) => Promise.all(Object.values(sides).map(act));
    await onEach(({ host }) => makeImages((...args) => engine.dockerAt(host, ...args)));
    await work({
      async tell(story) {
        const [docker, cleat] = await Promise.all([
          record(engine, sides.docker, story, driver),
          record(engine, sides.cleat, story, driver),
        ]);
        return { docker, cleat };
      },
      async clear() {
        await onEach(async ({ host, plugin }) => {
          plugin.clear();
          const words = async (...args: string[]) =>
            (await engine.dockerAt(host, ...args)).stdout.split('\n').filter(Boolean);
          // Without an ID, the client prints its usage.
          await words('rm', '-f', ...(await words('ps', '-aq')));
          await words(
            'volume',
            'rm',
            '-f',
            ...(await words('volume', 'ls', '-q', `--filter=driver=${driver}`, '--filter=driver=local')),
          );
        });
      },
    });
  } finally {
    await rm(scratch, { recursive: true });
  }
}

async function record(engine: Engine, { host, plugin }: Side, story: Story, driver: string): Promise<Transcript> {
  // A version that both speak.
  const docker = (...args: string[]) => engine.dockerAt(host, ...args, { env: { DOCKER_API_VERSION: '1.41' } });
  plugin.clear();
  const steps: RawStep[] = [];
  const step = async (...args: string[]) => {
    const result = await docker(...args);
    steps.push({ command: args.join(' '), ...result, calls: plugin.taken() });
  };
  await story({
    plugin,
    driver,
    docker: step,
    async eventually(command, printed) {
      await expect.poll(async () => (await docker(...command)).stdout.trim()).toBe(printed);
      steps.at(-1)?.calls.push(...plugin.taken());
    },
    async unmounted() {
      await expect.poll(() => plugin.held.size).toBe(0);
      steps.at(-1)?.calls.push(...plugin.taken());
    },
    list: (...args) => step('volume', 'ls', `--filter=driver=${driver}`, '--filter=driver=local', ...args),
  });
  return transcript(steps, plugin, driver);
}

async function makeImages(docker: (...args: string[]) => Promise<CommandResult>): Promise<void> {
  for (const args of [
    [
      'run',
      '--network=none',
      '--name=seed',
      'busybox',
      'sh',
      '-c',
      'mkdir -p /stuff/deep /empty && echo hi > /stuff/file',
    ],
    ['commit', '--change=CMD ["true"]', 'seed', 'stocked'],
    ['commit', '--change=CMD ["true"]', '--change=VOLUME /anonymous', 'seed', 'anonymous'],
    ['rm', 'seed'],
  ]) {
    expect({ args, ...(await docker(...args)) }).toMatchObject({ args, code: 0 });
  }
}
