import type { Images } from '@cleat/engine/images/service';
import { invalidParameter } from '@cleat/protocol/errors';
import type { Exchange } from '../http/exchange.js';
import { sendProgress } from '../streams/progress.js';
import { decodeAuth } from './auth.js';

/** `POST /images/create`: a pull (`fromImage`) or an import (`fromSrc`). */
export async function createImage(x: Exchange, images: Images): Promise<void> {
  const { query } = x;
  const platform = query.text('platform') || undefined;
  const image = query.text('fromImage');
  if (image !== '') {
    const auth = decodeAuth(x.headers['x-registry-auth']);
    // `pull -a` sends a name that ends in a colon.
    const name = image.replace(/:$/, '');
    return sendProgress(x, images.pull({ image: name, tag: query.text('tag'), platform, auth, signal: x.signal }));
  }
  const from = query.text('fromSrc');
  if (from === '') throw invalidParameter('fromImage or fromSrc is missing');
  const url = from === '-' ? undefined : urlOf(from);
  return sendProgress(
    x,
    images.import({
      source: url?.href ?? x.body(),
      repository: query.text('repo'),
      tag: query.text('tag'),
      message: query.text('message'),
      changes: query.all('changes'),
      platform,
      signal: x.signal,
    }),
  );
}

/** @throws InvalidParameter for what is no URL of a web server */
function urlOf(text: string): URL {
  const whole = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(whole) ? new URL(whole) : undefined;
  if (url?.protocol === 'http:' || url?.protocol === 'https:') return url;
  throw invalidParameter(`fromSrc: ${JSON.stringify(text)} is no URL of a web server`);
}
