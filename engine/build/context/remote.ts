import { Readable } from 'node:stream';
import {
  type CleatError,
  forbidden,
  invalidParameter,
  isClass,
  messageOf,
  notFound,
  systemError,
  unauthorized,
} from '@cleat/protocol/errors';
import { owned } from '@cleat/protocol/guard';
import type { Answer } from '../../distribution/answer.js';
import type { Page } from '../../distribution/page.js';
import { statusText } from '../../distribution/wording.js';
import type { ContextOptions } from '../service.js';
import type { ContextDirectory, Contexts } from './contexts.js';
import { fromGit, isGitUrl } from './git.js';

/** Bytes that tell what an answer is, where its type does not. */
const preambleBytes = 512;
const maxDockerfileBytes = 8 * 1024 * 1024;
const maxComplaint = 4096;

/** Texts as moby's (`daemon/builder/remotecontext`). */
export async function fromRemote(contexts: Contexts, url: string, options: ContextOptions): Promise<ContextDirectory> {
  if (isGitUrl(url)) return await fromGit(contexts, url, options);
  if (/^https?:\/\//.test(url)) return await fromUrl(contexts, url, options);
  throw systemError(`remoteURL (${url}) could not be recognized as URL`);
}

async function fromUrl(contexts: Contexts, url: string, options: ContextOptions): Promise<ContextDirectory> {
  using page = await opened(url, options);
  const { answer } = page;
  if (answer.status >= 400) throw await refusalOf(url, answer);
  const body = answer.body();
  const preamble = await preambleOf(body);
  const type = typeOf(answer, preamble);
  const whole = () => told(preamble, body, answer.length, options);
  if (type === 'text/plain') return await contexts.fromDockerfile(await textOf(url, whole()));
  if (!/^application\/(?:(?:x-)?tar|octet-stream|(?:x-)?(?:gzip|bzip2?|xz|zstd))$/.test(type)) {
    throw systemError(
      `error detecting content type for remote ${url}: unsupported Content-Type ${JSON.stringify(type)}`,
    );
  }
  if (preamble.length === 0) throw systemError(`error detecting content type for remote ${url}: empty response`);
  return await contexts.fromTar(owned(Readable.from(whole())), options);
}

async function opened(url: string, { signal }: ContextOptions): Promise<Page> {
  const { openPage } = await import('../../distribution/page.js');
  try {
    return await openPage(url, signal);
  } catch (error) {
    if (isClass(error, 'Cancelled')) throw error;
    const said = `error downloading remote context ${url}: ${messageOf(error)}`;
    const cause = error instanceof Error ? error.cause : undefined;
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOTFOUND') throw notFound(said, { cause: error });
    throw (isClass(error, 'Forbidden') ? forbidden : systemError)(said, { cause: error });
  }
}

async function refusalOf(url: string, answer: Answer): Promise<CleatError> {
  const complaint = (await answer.errorText()).slice(0, maxComplaint).trim();
  const { status } = answer;
  const said = `error downloading remote context ${url}: failed to GET ${url} with status ${statusText(status)}: ${complaint}`;
  const byStatus = { 400: invalidParameter, 401: unauthorized, 403: forbidden, 404: notFound };
  return (Object.entries(byStatus).find(([each]) => Number(each) === status)?.[1] ?? systemError)(said);
}

/** The first bytes, at least that many, or all. */
async function preambleOf(body: AsyncGenerator<Buffer, void, void>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let size = 0; size < preambleBytes; ) {
    const { done, value } = await body.next();
    if (done) break;
    parts.push(value);
    size += value.length;
  }
  return Buffer.concat(parts);
}

/** Its type; of one that says nothing what its first bytes look like. */
function typeOf(answer: Answer, preamble: Buffer): string {
  const type = (answer.headers['content-type'] ?? '').split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (type !== '' && type !== 'application/octet-stream') return type;
  // As Go's http.DetectContentType.
  const isText = !preamble.some((byte) => byte < 9 || byte === 11 || (byte > 13 && byte < 32 && byte !== 27));
  return isText ? 'text/plain' : 'application/octet-stream';
}

/** All of the body, with what has been looked at. */
async function* told(
  preamble: Buffer,
  body: AsyncGenerator<Buffer, void, void>,
  total: number | undefined,
  { onProgress }: ContextOptions,
): AsyncGenerator<Buffer, void, void> {
  let current = preamble.length;
  const tell = () => onProgress?.({ current, ...(total !== undefined && { total }) });
  if (current > 0) yield preamble;
  tell();
  for await (const chunk of body) {
    current += chunk.length;
    yield chunk;
    tell();
  }
}

async function textOf(url: string, chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.length;
    if (size > maxDockerfileBytes) {
      throw invalidParameter(`the Dockerfile at ${url} is larger than ${maxDockerfileBytes} bytes`);
    }
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}
