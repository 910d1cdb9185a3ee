import { request } from 'node:http';
import { invalidParameter, notFound, unavailable } from '@cleat/protocol/errors';
import { parseHost } from '../../cleatd/hosts.js';

/**
 * One question to an engine.
 * @param address as in DOCKER_HOST
 * @returns the JSON that it answers
 * @throws Unavailable when nobody answers, or no Cleat engine; NotFound and InvalidParameter as the engine words them
 */
export async function ask(address: string, path: string): Promise<unknown> {
  const host = parseHost(address, false);
  const target =
    host.kind === 'unix'
      ? { socketPath: host.path }
      : host.kind === 'tcp'
        ? { host: host.host, port: host.port }
        : undefined;
  if (target === undefined) throw invalidParameter(`${address} is not an address to connect to`);
  return new Promise((resolve, reject) => {
    const sent = request({ ...target, path, timeout: 10_000 }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('error', reject).on('end', () => {
        try {
          resolve(read(address, response.statusCode ?? 0, text));
        } catch (error) {
          reject(error);
        }
      });
    });
    sent.on('timeout', () => sent.destroy(unavailable(`${address} does not answer`)));
    sent.on('error', (error) => reject(unavailable(`no engine answers on ${address} (${error.message})`)));
    sent.end();
  });
}

function read(address: string, status: number, text: string): unknown {
  const answer = parse(text);
  if (status === 200 && answer !== undefined) return answer;
  const message = typeof answer === 'object' && answer !== null && 'message' in answer ? String(answer.message) : '';
  // Another engine has no such page at all.
  if (status === 404 && message !== '' && message !== 'page not found') throw notFound(message);
  if (status === 400 && message !== '') throw invalidParameter(message);
  throw unavailable(`${address} answered ${status}: is it a Cleat engine?`);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Whoever answers in something else is no engine of ours; the caller says so.
    return undefined;
  }
}
