import type { BuildContext, BuildFailure, Builds } from '@cleat/engine/build/service';
import { CleatError, invalidParameter, messageOf } from '@cleat/protocol/errors';
import { stringify } from '@cleat/protocol/json';
import type { Exchange } from '../http/exchange.js';
import { type ClassicLine, ClassicText } from './classic-text.js';
import { type Asked, askedOf } from './order.js';

/** Bytes of a context that are read and dropped, where it is refused unread. */
const maxDroppedBytes = 1024 ** 3;

/** `POST /build`. What fails before anything is said is an ordinary error; later it is a last line. */
export async function buildClassic(x: Exchange, builds: Builds): Promise<void> {
  const asked = await afterBody(x, () => askedOf(x));
  const answer = new Answer(x, x.query.flag('q'));
  const text = new ClassicText((line) => answer.say(line), {
    keepsContainers: asked.KeepContainers === true,
    keepsFailed: asked.KeepFailed === true,
  });
  try {
    await using context = await contextOf(x, builds, answer);
    const { Dockerfile, DockerfileName } = await dockerfileOf(context, asked.DockerfileName ?? 'Dockerfile');
    const order = { ...asked, Context: context.directory, Dockerfile, DockerfileName };
    const { image, tags } = await builds.build(order, (line) => text.take(line), x.signal);
    await text.finish(image, tags);
    await answer.succeed(image);
  } catch (error) {
    await text.flush();
    await answer.fail(error);
  }
  x.end();
}

/** The client shows a refusal only once it has sent its context: refused at once, it would tell of a broken pipe. */
async function afterBody(x: Exchange, check: () => Asked): Promise<Asked> {
  try {
    return check();
  } catch (error) {
    let read = 0;
    for await (const chunk of x.body()) {
      read += (chunk as Buffer).length;
      if (read > maxDroppedBytes) break;
    }
    throw error;
  }
}

async function contextOf(x: Exchange, builds: Builds, answer: Answer): Promise<BuildContext> {
  const { signal, query } = x;
  const remote = query.text('remote');
  if (remote === '') return await builds.contextFromTar(x.body(), { signal });
  if (remote === 'client-session') {
    throw invalidParameter(
      'experimental session with v1 builder is no longer supported, use builder version v2 (BuildKit) instead',
    );
  }
  const onProgress = (progressDetail: { current: number; total?: number }) => {
    answer.now({ status: 'Downloading context', progressDetail, id: remote });
  };
  return await builds.contextFromRemote(remote, { signal, onProgress });
}

async function dockerfileOf(context: BuildContext, name: string) {
  if (context.dockerfile !== undefined) return { Dockerfile: context.dockerfile, DockerfileName: 'Dockerfile' };
  const Dockerfile = await context.file(name);
  await context.hideIgnored(name);
  return { Dockerfile, DockerfileName: name };
}

/** Bytes of a quiet build's lines that are kept; the oldest go first. */
const maxKeptBytes = 4 * 1024 * 1024;

/** The answer's lines. With `q` they are kept for a failure. */
class Answer {
  readonly #x: Exchange;
  readonly #isQuiet: boolean;
  readonly #kept: ClassicLine[] = [];
  #keptBytes = 0;
  #begun: Promise<void> | undefined;
  /** When progress was last told, in ms. */
  #told = 0;

  constructor(x: Exchange, isQuiet: boolean) {
    this.#x = x;
    this.#isQuiet = isQuiet;
  }

  async say(line: ClassicLine): Promise<void> {
    // Old clients do not know it.
    if (line.aux && this.#x.before('1.30')) return;
    if (!this.#isQuiet) {
      await this.#write(line);
      return;
    }
    this.#kept.push(line);
    this.#keptBytes += bytesOf(line);
    while (this.#keptBytes > maxKeptBytes) this.#keptBytes -= bytesOf(this.#kept.shift());
  }

  /** Progress, of which some may be missing. */
  now(line: ClassicLine): void {
    const now = performance.now();
    if (this.#isQuiet || now - this.#told < 100) return;
    this.#told = now;
    this.#write(line).catch((error: unknown) => this.#x.log.debug(`progress was not told: ${messageOf(error)}`));
  }

  async succeed(image: string): Promise<void> {
    await this.#x.settled();
    if (this.#isQuiet) await this.#write({ stream: `${image}\n` });
  }

  /** @throws the error where nothing was said yet */
  async fail(error: unknown): Promise<void> {
    for (const line of this.#kept) await this.#write(line);
    if (!this.#begun) throw error;
    const { code } = (error instanceof CleatError ? (error.details ?? {}) : {}) as BuildFailure;
    const message = messageOf(error);
    this.#x.log.debug('a build failed', { error: message });
    await this.#write({ errorDetail: { ...(code !== undefined && { code }), message }, error: message });
  }

  async #write(line: object): Promise<void> {
    this.#begun ??= this.#x.begin(200, 'application/json');
    await this.#begun;
    await this.#x.write(`${stringify(line)}\r\n`);
  }
}

/** Bytes that a line costs, about. */
const bytesOf = (line: ClassicLine | undefined): number => 100 + (line?.stream?.length ?? 0);
