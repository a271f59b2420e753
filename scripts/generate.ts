/** `npm run generate`: files made from source; `--check` only says which are stale. */
console.log('nothing to generate yet');
