import assert from 'node:assert/strict';
import test from 'node:test';

test('sum', () => assert.equal(1 + 1, 3));
