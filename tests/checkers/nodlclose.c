/* Linked into sanitized programs: libraries stay loaded, so that leak reports can name their functions. */
int dlclose(void *handle);

int dlclose(void *handle) {
  (void)handle;
  return 0;
}
