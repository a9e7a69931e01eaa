# Varnish as a cache of the origin. The VCL says as little as it can: every line of it runs for each request.
# Words between @ are filled in by `lastmile bench compare` (bench/src/peer/varnish.rs), which also says the
# parameters of varnishd and why they are what they are.
vcl 4.1;

backend origin {
    .host = "@ORIGIN_HOST@";
    .port = "@ORIGIN_PORT@";
    # The first octets of a slowly arriving object come at once, the rest at the origin's pace.
    .first_byte_timeout = 30s;
    .between_bytes_timeout = 30s;
}

sub vcl_recv {
    # The load sends GET without cookies or credentials. The built-in rules, which look at both, come after
    # this and are left out.
    return (hash);
}
