package sqe.testing.catalog;

import java.util.Set;

/** Who sent a request, with the principal roles that the token activates. */
record Caller(String principal, Set<String> roles) {

  /** The attribute of a request under which {@link Authentication} leaves the caller. */
  static final String ATTRIBUTE = Caller.class.getName();
}
