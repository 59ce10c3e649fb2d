# Who the services run as, in images and on the host: files that both see keep their owner.
{
  user = "jimbot";
  id = 65532;
  home = "/var/lib/jimbot";
}
