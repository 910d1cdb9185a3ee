import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { builderKind, defineExtension, implement } from '@cleat/sdk';

const line = (one: object) => Buffer.from(`${JSON.stringify(one)}\n`);

/** An image is its context: all files of it, and no Dockerfile but for its last CMD. */
export default defineExtension({
  options: { tar: { default: 'tar', help: 'the program that packs the context' } },
  start({ options, log }) {
    /** The engine makes an image of a tar: nobody sees it until the build has it as its result. */
    const imported = (engine: string, context: string, cmd: string, signal: AbortSignal) =>
      new Promise<string>((resolve, reject) => {
        const pack = spawn(options.tar, ['-C', context, '-c', '.'], { stdio: ['ignore', 'pipe', 'inherit'], signal });
        pack.on('error', reject);
        const path = `/images/create?fromSrc=-&changes=${encodeURIComponent(cmd)}`;
        const asked = request({ socketPath: engine, method: 'POST', path, signal }, (answer) => {
          let text = '';
          answer.setEncoding('utf8').on('data', (chunk) => {
            text += chunk;
          });
          answer.on('end', () => {
            const image = /sha256:[0-9a-f]{64}/.exec(text)?.[0];
            if (image === undefined) reject(new Error(`the engine made no image: ${text}`));
            else resolve(image);
          });
          answer.on('error', reject);
        });
        asked.on('error', reject);
        pack.stdout?.on('error', reject).pipe(asked);
      });
    const builder = implement(builderKind, {
      async *Build({ Context, Dockerfile, Engine }, { signal }) {
        const step = { ID: '1', Name: 'COPY . /', Step: 1, Steps: 1, Started: new Date().toISOString() };
        try {
          const [cmd = 'CMD ["/"]'] = (await readFile(Dockerfile, 'utf8')).match(/^CMD .*$/gm)?.slice(-1) ?? [];
          yield line({ Vertex: step });
          const Image = await imported(Engine, Context, cmd, signal);
          yield line({ Vertex: { ...step, Completed: new Date().toISOString(), Image } });
          yield line({ Result: { Image } });
        } catch (error) {
          log.warn('a build failed', { error: String(error) });
          yield line({ Error: { Message: `the image could not be made: ${String(error)}` } });
        }
      },
    });
    return { implementations: [builder] };
  },
});
