import type { Demand, ObjectType, Setting } from '../demand.js';

export const setting = (name: Setting, value: string): Demand => ({ what: 'setting', setting: name, value });

export const object = (type: ObjectType, name: string, use: 'look' | 'use' | 'change'): Demand => ({
  what: 'object',
  type,
  name,
  use,
});
