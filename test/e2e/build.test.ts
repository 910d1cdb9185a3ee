import { describe } from 'vitest';
import { benchForTests } from './build/bench.js';
import { clientTests } from './build/clients.js';
import { contextTests } from './build/contexts.js';
import { orderTests } from './build/orders.js';
import { recordTests } from './build/records.js';
import { wordTests } from './build/words.js';

/** Building by the classic door: what the engine brings a builder, what it tells its user, and what it leaves behind. */
benchForTests();

describe('the words of the classic builder', wordTests);
describe('an order', orderTests);
describe('a context', contextTests);
describe('build records', recordTests);
describe('other clients', clientTests);
