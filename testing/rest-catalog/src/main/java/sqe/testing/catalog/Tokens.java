package sqe.testing.catalog;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.crypto.MACVerifier;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.JWTParser;
import com.nimbusds.jwt.SignedJWT;
import java.security.SecureRandom;
import java.text.ParseException;
import java.time.Duration;
import java.time.Instant;
import java.util.Collection;
import java.util.Date;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;

/**
 * Bearer tokens: issues those for client credentials, and verifies them and those of an OIDC
 * provider.
 *
 * <p>The signing key is drawn when the program starts, so its tokens end with it.
 */
final class Tokens {

  /** Roles are asked for with this prefix; {@code ALL} behind it asks for all of the principal. */
  static final String ROLE_PREFIX = "PRINCIPAL_ROLE:";

  private static final String ISSUER = "rest-catalog";
  private static final String SCOPE = "scope";

  private final byte[] key = new byte[32];
  private final Duration life;
  private final Directory directory;
  private final Optional<OidcTokens> provider;

  Tokens(Duration life, Directory directory, Optional<OidcTokens> provider) {
    new SecureRandom().nextBytes(key);
    this.life = life;
    this.directory = directory;
    this.provider = provider;
  }

  Duration life() {
    return life;
  }

  String issue(String principal, String scope) {
    Instant now = Instant.now();
    JWTClaimsSet claims =
        new JWTClaimsSet.Builder()
            .issuer(ISSUER)
            .subject(principal)
            .jwtID(UUID.randomUUID().toString())
            .issueTime(Date.from(now))
            .expirationTime(Date.from(now.plus(life)))
            .claim(SCOPE, scope)
            .build();
    try {
      SignedJWT token = new SignedJWT(new JWSHeader(JWSAlgorithm.HS256), claims);
      token.sign(new MACSigner(key));
      return token.serialize();
    } catch (JOSEException e) {
      throw new IllegalStateException(e);
    }
  }

  /** The caller of a valid token of a known principal; empty for everything else. */
  Optional<Caller> verify(String bearer) {
    try {
      JWTClaimsSet unverified = JWTParser.parse(bearer).getJWTClaimsSet();
      if (unverified != null && ISSUER.equals(unverified.getIssuer())) {
        return own(SignedJWT.parse(bearer));
      }
      return provider
          .flatMap(oidc -> oidc.verify(bearer))
          .flatMap(identity -> caller(identity.principal(), identity.roles()));
    } catch (ParseException | JOSEException e) {
      return Optional.empty();
    }
  }

  private Optional<Caller> own(SignedJWT token) throws JOSEException, ParseException {
    JWTClaimsSet claims = token.getJWTClaimsSet();
    if (!token.verify(new MACVerifier(key)) || !claims.getExpirationTime().after(new Date())) {
      return Optional.empty();
    }
    return caller(claims.getSubject(), List.of(claims.getStringClaim(SCOPE).split(" ")));
  }

  /** Only roles that the principal holds are activated, whatever the token asks for. */
  private Optional<Caller> caller(String principal, Collection<String> asked) {
    if (!directory.exists(principal)) {
      return Optional.empty();
    }
    Set<String> roles = directory.rolesOf(principal);
    if (!asked.contains(ROLE_PREFIX + "ALL")) {
      roles =
          roles.stream()
              .filter(role -> asked.contains(ROLE_PREFIX + role))
              .collect(Collectors.toSet());
    }
    return Optional.of(new Caller(principal, roles));
  }
}
