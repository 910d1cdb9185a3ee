/**
 * The process of names, one per engine: it serves DNS to containers, and outlives the engine. It knows what engines tell
 * it on a socket, and ends by itself when no engine is there and nobody is left who could ask.
 */
import { giveMemoryBackAtRest } from '@cleat/linux/process/at-rest';
import { NamedContainers } from './containers.js';
import { listenForEngines } from './desk.js';
import { watchOrphans } from './orphan.js';

async function main(path: string, build: string): Promise<void> {
  // It stays wherever the engine was started: that place may be unmounted.
  process.chdir('/');
  const containers = new NamedContainers();
  const desk = await listenForEngines(path, build, containers);
  watchOrphans(desk, containers);
  // Where it cannot be given back, the process is as good, and a little larger.
  giveMemoryBackAtRest({ tickMs: 1_000, quiet: 5_000, worthIt: 50_000, onFailure: () => {} });
  // The engine that started it waits for this line. Later nobody may read it.
  process.stdout.on('error', () => {});
  process.stdout.write('ready\n');
}

const [path = '', build = ''] = process.argv.slice(2);
void main(path, build);
