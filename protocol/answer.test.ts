import { expect, test } from 'vitest';
import { errorBody } from './answer.js';
import { conflict } from './errors.js';
import { ipamKind } from './kinds/ipam.js';
import { volumeKind } from './kinds/volume.js';

test('an error has the kind’s own key, and the one that Docker reads where the status is not 200', () => {
  expect(errorBody(ipamKind.errorKey, new Error('full'))).toEqual({ Err: 'full', Error: 'full' });
  expect(errorBody(volumeKind.errorKey, conflict('in use'))).toEqual({ Err: 'in use', Class: 'Conflict' });
});
