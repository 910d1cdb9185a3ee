import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Flaw } from './test-plugin.fixture.js';

type Http = NonNullable<Flaw<object>['http']>;

/** One method is answered with a text, whatever is asked. */
export function answering(method: string, text: string): Http {
  return (request, response, answer) => {
    if (request.url?.endsWith(`.${method}`)) response.end(text);
    else return answer(request, response);
  };
}

/** It hangs up on requests of a kind. */
export function dropping(when: (text: string, request: IncomingMessage) => boolean): Http {
  return async (request, response, answer) => {
    onText(request, (text) => {
      if (request.url !== '/Plugin.Activate' && when(text, request)) response.destroy();
    });
    await answer(request, response);
  };
}

/** After a request of a kind it serves nobody. */
export function dyingOf(when: (text: string, request: IncomingMessage) => boolean): Http {
  let dead = false;
  return async (request, response, answer) => {
    if (dead) return void response.destroy();
    onText(request, (text) => {
      dead ||= when(text, request);
      if (dead) response.destroy();
    });
    await answer(request, response);
  };
}

/** From the first caller on who hangs up before the answer, it answers something else. */
export function spoiltByHangingUp(spoilt: (response: ServerResponse) => void): Http {
  let isSpoilt = false;
  return (request, response, answer) => {
    response.once('close', () => {
      if (!response.writableFinished) isSpoilt = true;
    });
    if (!isSpoilt || request.url === '/Plugin.Activate') return answer(request, response);
    spoilt(response);
  };
}

function onText(request: IncomingMessage, take: (text: string) => void): void {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => take(Buffer.concat(chunks).toString()));
}
