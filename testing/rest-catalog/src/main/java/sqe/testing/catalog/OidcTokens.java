package sqe.testing.catalog;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.jwk.source.JWKSource;
import com.nimbusds.jose.jwk.source.JWKSourceBuilder;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.proc.JWSVerificationKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.proc.DefaultJWTClaimsVerifier;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.text.ParseException;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Verifies the tokens of an OIDC provider: signature by its published keys, issuer, audience,
 * times.
 *
 * <p>The provider is asked for its keys at the first token, and again for a key that is not known.
 */
final class OidcTokens {

  /** What a token says of its bearer, roles with {@link Tokens#ROLE_PREFIX}. */
  record Identity(String principal, List<String> roles) {}

  private static final Logger LOG = LoggerFactory.getLogger(OidcTokens.class);
  private static final String PRINCIPAL = "principal";
  private static final String ROLES = "principal_roles";

  private final String issuer;
  private final String audience;
  private DefaultJWTProcessor<SecurityContext> processor;

  OidcTokens(String issuer, String audience) {
    this.issuer = issuer;
    this.audience = audience;
  }

  Optional<Identity> verify(String bearer) {
    try {
      JWTClaimsSet claims = processor().process(bearer, null);
      List<String> roles = claims.getStringListClaim(ROLES);
      return Optional.of(
          new Identity(
              claims.getStringClaim(PRINCIPAL),
              roles == null
                  ? List.of()
                  : roles.stream().map(role -> Tokens.ROLE_PREFIX + role).toList()));
    } catch (BadJOSEException | ParseException e) {
      LOG.info("a bearer token is refused: {}", e.getMessage());
      return Optional.empty();
    } catch (IOException | JOSEException e) {
      LOG.warn("a bearer token cannot be verified: {}", e.getMessage());
      return Optional.empty();
    }
  }

  private synchronized DefaultJWTProcessor<SecurityContext> processor() throws IOException {
    if (processor == null) {
      URI discovery = URI.create(issuer + "/.well-known/openid-configuration");
      try (InputStream answer = discovery.toURL().openStream()) {
        String keys = Json.parse(answer.readAllBytes()).path("jwks_uri").asText();
        processor = processor(URI.create(keys));
      }
    }
    return processor;
  }

  private DefaultJWTProcessor<SecurityContext> processor(URI keys) throws IOException {
    JWKSource<SecurityContext> source =
        JWKSourceBuilder.create(keys.toURL()).rateLimited(false).build();
    DefaultJWTClaimsVerifier<SecurityContext> claims =
        new DefaultJWTClaimsVerifier<>(
            audience, new JWTClaimsSet.Builder().issuer(issuer).build(), Set.of("exp", PRINCIPAL));
    claims.setMaxClockSkew(0);
    DefaultJWTProcessor<SecurityContext> made = new DefaultJWTProcessor<>();
    made.setJWSKeySelector(
        new JWSVerificationKeySelector<>(
            Set.of(JWSAlgorithm.RS256, JWSAlgorithm.PS256, JWSAlgorithm.ES256), source));
    made.setJWTClaimsSetVerifier(claims);
    return made;
  }
}
