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
  const source = query.text('fromSrc');
  if (source !== '-') {
    throw invalidParameter(
      source === ''
        ? 'fromImage or fromSrc is missing'
        : 'importing from a URL is not supported: download it and import the file',
    );
  }
  return sendProgress(
    x,
    images.import({
      source: x.body(),
      repository: query.text('repo'),
      tag: query.text('tag'),
      message: query.text('message') || `Imported from ${source}`,
      changes: query.all('changes'),
      platform,
      signal: x.signal,
    }),
  );
}
