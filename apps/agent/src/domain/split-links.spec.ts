import { describe, expect, it } from '@jest/globals';

import { SplitLinks } from './split-links.js';

describe('links that an incremental parts', () => {
  it('are those of inodes of which a link was passed over, each inode once', () => {
    const links = new SplitLinks();
    links.pass('1', 3);
    links.store('1');
    links.store('1');
    links.store('2');
    expect(links.count).toBe(1);
  });

  it('are none of inodes of which all links were passed over: they are forgotten', () => {
    const links = new SplitLinks(1);
    for (const inode of ['1', '2', '3']) {
      links.pass(inode, 2);
      links.pass(inode, 2);
      links.store(inode);
    }
    expect(links.count).toBe(0);
  });

  it('are not counted of more inodes than can be remembered', () => {
    const links = new SplitLinks(2);
    for (const inode of ['1', '2', '3']) links.pass(inode, 3);
    for (const inode of ['1', '2', '3']) links.store(inode);
    expect(links.count).toBe(2);
  });
});
